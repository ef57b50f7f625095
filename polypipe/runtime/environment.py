"""What the processes of `polypipe up` inherit: the system's usual variables, our settings, and each its own secrets."""

import os
from collections.abc import Mapping
from pathlib import Path

from polypipe.runtime.running import MARK
from polypipe.settings import Settings
from polypipe.variables import BOT_NAMES, VARIABLES

# The environment may hold secrets of the bot (exported from a shared `.env`): they stop here.
INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TZ", "TMPDIR", "LANG", "LANGUAGE", "VIRTUAL_ENV")
INHERITED_PREFIXES = ("LC_", "SSL_CERT_", "XDG_", "PYTHON")
INHERITED_ANY_CASE = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")

SECRET_FOR = {
    "dashboard_token": ("dashboard",),
    "postgres_url": ("code-server", "daemon", "webserver"),
}
"""Setting -> the programs that receive this secret. Secrets not listed go to the code server, which sends the alerts."""


def child_environment(settings: Settings, dagster_home: Path, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a supervised process, without secrets: the usual variables and our settings."""
    secret = {variable.names[0] for variable in VARIABLES if variable.secret}
    ours = {name: value for name, value in settings.to_env().items() if name not in secret}
    mark = {MARK: os.path.realpath(settings.home)}
    dagster = {"DAGSTER_HOME": str(dagster_home), "DAGSTER_DISABLE_TELEMETRY": "true"}
    return _inherited(os.environ if environ is None else environ) | ours | mark | dagster


def up_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a detached `polypipe up`: the usual variables, and all that set our settings."""
    names = BOT_NAMES | {name for variable in VARIABLES for name in variable.names}
    return _inherited(environ) | {name: value for name, value in environ.items() if name in names}


def secrets_for(settings: Settings, program: str) -> dict[str, str]:
    """The secret settings that this program needs, as variables."""
    env = settings.to_env()
    return {
        variable.names[0]: env[variable.names[0]]
        for variable in VARIABLES
        if variable.secret and variable.names[0] in env and program in SECRET_FOR.get(variable.field, ("code-server",))
    }


def _inherited(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environ.items()
        if name in INHERITED or name.startswith(INHERITED_PREFIXES) or name.upper() in INHERITED_ANY_CASE
    }
