"""Checks of the configuration: every setting with where it came from, and the `.env`. No secret is read or shown."""

import stat
from collections.abc import Iterator
from difflib import get_close_matches
from urllib.parse import urlsplit

from polypipe.doctor.inputs import Facts
from polypipe.doctor.result import Result, ok, skipped, warning
from polypipe.runtime.running import MARK
from polypipe.settings import PREFIX, VARIABLES, Settings, unknown_names

EXPOSED = stat.S_IRWXG | stat.S_IRWXO


def check_settings(facts: Facts) -> Iterator[Result]:
    """Every variable, its value and its source; and names that are no variable's, which set nothing."""
    chosen = sum(source != "default" for source in facts.settings.sources.values())
    yield ok(
        "settings", f"{chosen} of {len(VARIABLES)} set, the rest have their defaults", list(setting_lines(facts.settings))
    )
    known = [variable.names[0].removeprefix(PREFIX) for variable in VARIABLES]
    for name, source in unknown_names(facts.dotenv).items():
        if name != MARK:
            meant = get_close_matches(name.removeprefix(PREFIX), known, 1, 0.75)
            hint = f"is {PREFIX}{meant[0]} meant?" if meant else "the README names all settings"
            yield warning("unknown setting", f"{name} (in {source}) is no setting of polypipe: it changes nothing", hint)


def setting_lines(settings: Settings) -> Iterator[str]:
    """`NAME = value (source)`, one a variable; of a secret only whether it is set."""
    for variable in VARIABLES:
        value = getattr(settings, variable.field)
        empty = value in (None, "", ())
        if variable.secret:
            shown = "not set" if empty else "set (a secret: not shown)"
        else:
            shown = "not set" if empty else variable.show(value)
        yield f"{variable.names[0]} = {shown}  ({settings.sources[variable.field]})"


def check_dotenv(facts: Facts) -> Result:
    """Whether a `.env` is used, and who can read it. Its other lines are the bot's secrets: only its mode is looked at."""
    path = facts.dotenv.absolute()
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return skipped(".env", f"there is none in {path.parent}: settings come from the environment and the defaults")
    used = sum(source == ".env" for source in facts.settings.sources.values())
    finding = f"{path}: {used} settings are from it"
    if mode & EXPOSED:
        return warning(
            ".env",
            f"{finding}; other users of this machine can read it (mode {stat.S_IMODE(mode):04o})",
            f"if it holds the bot's private key, or any secret: chmod 600 {path}",
        )
    return ok(".env", finding)


def secrets_of(settings: Settings) -> list[str]:
    """Texts that no report may hold, longest first: the secret settings, and the passwords in them."""
    found = set()
    for variable in VARIABLES:
        value = getattr(settings, variable.field)
        if variable.secret and value:
            for text in value if isinstance(value, tuple) else (str(value),):
                found |= {text, urlsplit(text).password or ""}
    return sorted(filter(None, found), key=len, reverse=True)
