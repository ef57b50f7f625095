"""Checks of the configuration: every setting with its source, and `.env`. Shows no secrets."""

import stat
from collections.abc import Iterator
from difflib import get_close_matches
from urllib.parse import urlsplit

from polypipe.doctor.inputs import Inputs
from polypipe.doctor.result import Result, ok, skipped, warning
from polypipe.runtime.running import MARK
from polypipe.setting_sources import unknown_names
from polypipe.settings import Settings
from polypipe.text import count
from polypipe.variables import PREFIX, VARIABLES

EXPOSED = stat.S_IRWXG | stat.S_IRWXO


def check_settings(inputs: Inputs) -> Iterator[Result]:
    """Every variable with value and source, and unknown names, which set nothing."""
    chosen = sum(source != "default" for source in inputs.settings.sources.values())
    yield ok(
        "settings",
        f"{chosen} of {len(VARIABLES)} set, the others have their defaults",
        list(setting_lines(inputs.settings)),
    )
    known = [variable.names[0].removeprefix(PREFIX) for variable in VARIABLES]
    for name, source in unknown_names(inputs.dotenv).items():
        if name != MARK:
            meant = get_close_matches(name.removeprefix(PREFIX), known, 1, 0.75)
            hint = f"did you mean {PREFIX}{meant[0]}?" if meant else "the README lists all settings"
            yield warning("unknown setting", f"{name} (in {source}) is not a setting and changes nothing", hint)


def setting_lines(settings: Settings) -> Iterator[str]:
    """`NAME = value (source)` for each variable; for a secret only whether it is set."""
    for variable in VARIABLES:
        value = getattr(settings, variable.field)
        empty = value in (None, "", ())
        if variable.secret:
            shown = "not set" if empty else "set (a secret: not shown)"
        else:
            shown = "not set" if empty else variable.show(value)
        yield f"{variable.names[0]} = {shown}  ({settings.sources[variable.field]})"


def check_dotenv(inputs: Inputs) -> Result:
    """Whether a `.env` is used, and who can read it. Only its mode is checked: its other lines are the bot's secrets."""
    path = inputs.dotenv.absolute()
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return skipped(".env", f"no .env in {path.parent}: settings come from the environment and the defaults")
    used = sum(source == ".env" for source in inputs.settings.sources.values())
    finding = f"{path}: {count(used, 'setting')} from it"
    if mode & EXPOSED:
        return warning(
            ".env",
            f"{finding}; other users of this machine can read it (mode {stat.S_IMODE(mode):04o})",
            f"if it holds the bot's private key or any secret: chmod 600 {path}",
        )
    return ok(".env", finding)


def secrets_of(settings: Settings) -> list[str]:
    """Texts that must not appear in a report, longest first: secret settings and the passwords in them."""
    found = set()
    for variable in VARIABLES:
        value = getattr(settings, variable.field)
        if variable.secret and value:
            for text in value if isinstance(value, tuple) else (str(value),):
                found |= {text, urlsplit(text).password or ""}
    return sorted(filter(None, found), key=len, reverse=True)
