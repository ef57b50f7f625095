"""Settings: the only reader of the environment and of `.env`.

Everything else receives a frozen `Settings`. The bot's own variable names are accepted, so that one `.env` serves both
programs; lines of that file whose name is not one of ours are not parsed at all, so its secrets never enter the process.
"""

import io
import json
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv.parser import parse_stream

from polypipe.errors import PolypipeError
from polypipe.files import replace_file
from polypipe.wallets import Wallets


class SettingError(PolypipeError):
    """A setting has a value that is not allowed. The message is one line: the variable, the value, what is allowed."""


@dataclass(frozen=True)
class Settings:
    """All settings, checked.

    `sources` tells where each came from: `environment`, `.env`, `command line`, `demo` (the file in its home) or `default`.
    """

    copier_address: str | None
    whale_address: str | None
    copier_label: str
    whale_label: str
    scaling_ratio: float
    home: Path
    bot_dir: Path
    gamma_url: str
    data_url: str
    pnl_url: str
    clob_url: str
    dashboard_host: str
    dashboard_port: int
    dashboard_token: str | None = field(repr=False)
    webserver_port: int
    webserver_read_only: bool
    postgres_url: str | None = field(repr=False)
    webserver_name: str | None
    tennis_scope: str
    snapshot_seconds: int
    history_start: date
    alert_urls: tuple[str, ...] = field(repr=False)
    ping_url: str | None = field(repr=False)
    simulated: bool
    sources: Mapping[str, str] = field(repr=False, compare=False)

    @property
    def wallets(self) -> Wallets | None:
        """The pair to compare; None until both addresses are set (see `wallets_missing`)."""
        if self.copier_address is None or self.whale_address is None:
            return None
        return Wallets(self.copier_address, self.whale_address, self.scaling_ratio)

    @property
    def wallets_missing(self) -> str:
        """Which variables to set while `wallets` is None: one line for people."""
        missing = [
            " (or ".join(variable.names) + ")"
            for variable in VARIABLES
            if variable.field in ("copier_address", "whale_address") and getattr(self, variable.field) is None
        ]
        return f"no wallets to compare: set {' and '.join(missing)}"

    def to_env(self) -> dict[str, str]:
        """The same settings as variables, for child processes; unset ones are left out."""
        env = {}
        for variable in VARIABLES:
            value = getattr(self, variable.field)
            if value not in (None, "", ()):
                env[variable.names[0]] = variable.show(value)
        return env


def _address(text: str) -> str:
    match = re.fullmatch(r"(?:0x)?([0-9a-fA-F]{40})", text)
    if not match:
        raise ValueError
    return "0x" + match[1].lower()


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in text:
        raise ValueError
    _ = parts.port  # raises ValueError when it is not a port number
    return text.rstrip("/")


def _ping(text: str) -> str:
    """A URL that is called as it is: the outside service decides what its path and query mean."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or re.search(r"[^!-~]", text):
        raise ValueError
    _ = parts.port  # raises ValueError when it is not a port number
    return text


def _directory(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # ~somebody who does not exist
        raise ValueError from None


def _ratio(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value <= 0:
        raise ValueError
    return value


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise ValueError
    return int(text)


def _scope(text: str) -> str:
    if text not in ("atp", "all"):
        raise ValueError
    return text


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 10 <= int(text) <= 3600:
        raise ValueError
    return int(text)


def _day(text: str) -> date:
    day = date.fromisoformat(text)
    if not FIRST_DAY <= day <= datetime.now(UTC).date():
        raise ValueError
    return day


def _flag(text: str) -> bool:
    return {"0": False, "1": True}[text]


def _host(text: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z.:-]+", text):
        raise ValueError
    return text


def _token(text: str) -> str:
    if not re.fullmatch(r"[!-~]{16,200}", text):
        raise ValueError
    return text


def _postgres(text: str) -> str:
    match = re.fullmatch(r"postgres(?:ql)?(?:\+psycopg2)?://([^/]+/.+)", text)
    if not match:
        raise ValueError
    return f"postgresql+psycopg2://{match[1]}"  # without it SQLAlchemy takes another driver


def _urls(text: str) -> tuple[str, ...]:
    urls = tuple(part.strip() for part in text.split(",") if part.strip())
    if not all(re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", url) for url in urls):
        raise ValueError
    return urls


COMMAND_LINE = "command line"
DEMO = "demo"
Layers = list[tuple[str, Mapping[str, str]]]
"""Where a setting may come from, what comes first first: the name of the source, and its variables."""


@dataclass(frozen=True)
class Variable:
    """One setting: its field, the names it is read from (ours first), its default, its parser and what is allowed."""

    field: str
    names: tuple[str, ...]
    default: str | None
    parse: Callable[[str], Any]
    allowed: str
    secret: bool = False

    def show(self, value: Any) -> str:
        """The value as the text that `parse` reads back."""
        if isinstance(value, tuple):
            return ",".join(value)
        return str(int(value)) if isinstance(value, bool) else str(value)


SIMULATED = "SIMULATED"
"""A file in the home of the demo with what stands in for everything real: no command on that home meets anything else."""

PREFIX = "POLYPIPE_"

FIRST_DAY = date(2020, 1, 1)  # Polymarket is younger; an earlier year is a slip
HISTORY = timedelta(days=90)

_ADDRESS = "40 hex digits, with or without 0x"
_URL = "an http or https URL without query and password"
_PORT = "a port number from 1 to 65535"

VARIABLES = (
    Variable("copier_address", ("POLYPIPE_COPIER_ADDRESS", "FUNDER_ADDRESS"), None, _address, _ADDRESS),
    Variable("whale_address", ("POLYPIPE_WHALE_ADDRESS", "TARGET_WHALE_ADDRESS"), None, _address, _ADDRESS),
    Variable("copier_label", ("POLYPIPE_COPIER_LABEL",), "You", str, "any text"),
    Variable("whale_label", ("POLYPIPE_WHALE_LABEL",), None, str, "any text"),
    Variable("scaling_ratio", ("POLYPIPE_SCALING_RATIO",), "0.08", _ratio, "a number above 0"),
    Variable("home", ("POLYPIPE_HOME",), "data", _directory, "a directory"),
    Variable("bot_dir", ("POLYPIPE_BOT_DIR",), None, _directory, "a directory"),
    Variable("gamma_url", ("POLYPIPE_GAMMA_URL",), "https://gamma-api.polymarket.com", _url, _URL),
    Variable("data_url", ("POLYPIPE_DATA_URL",), "https://data-api.polymarket.com", _url, _URL),
    Variable("pnl_url", ("POLYPIPE_PNL_URL",), "https://user-pnl-api.polymarket.com", _url, _URL),
    Variable("clob_url", ("POLYPIPE_CLOB_URL",), "https://clob.polymarket.com", _url, _URL),
    Variable("dashboard_host", ("POLYPIPE_DASHBOARD_HOST",), "127.0.0.1", _host, "a host name or IP address"),
    Variable("dashboard_port", ("POLYPIPE_DASHBOARD_PORT",), "8765", _port, _PORT),
    Variable(
        "dashboard_token", ("POLYPIPE_DASHBOARD_TOKEN",), None, _token, "16 to 200 visible ASCII characters", secret=True
    ),
    Variable("webserver_port", ("POLYPIPE_WEBSERVER_PORT",), "3000", _port, _PORT),
    Variable("webserver_name", ("POLYPIPE_WEBSERVER_NAME",), None, _host, "a host name"),
    Variable("webserver_read_only", ("POLYPIPE_WEBSERVER_READ_ONLY",), "0", _flag, "0 or 1"),
    Variable(
        "postgres_url", ("POLYPIPE_POSTGRES_URL",), None, _postgres, "postgresql://user:password@host/database", secret=True
    ),
    Variable("tennis_scope", ("POLYPIPE_TENNIS_SCOPE",), "atp", _scope, "atp or all"),
    Variable("snapshot_seconds", ("POLYPIPE_SNAPSHOT_SECONDS",), "60", _seconds, "whole seconds from 10 to 3600"),
    Variable("history_start", ("POLYPIPE_HISTORY_START",), None, _day, f"a date (UTC) from {FIRST_DAY} to today"),
    Variable("alert_urls", ("POLYPIPE_ALERT_URLS",), "", _urls, "Apprise URLs separated by commas", secret=True),
    Variable("ping_url", ("POLYPIPE_PING_URL",), None, _ping, "an http or https URL without a password", secret=True),
    # Set by `polypipe demo`: numbers are then marked as simulated wherever they are shown.
    Variable("simulated", ("POLYPIPE_SIMULATED",), "0", _flag, "0 or 1"),
)


def load_settings(
    environ: Mapping[str, str] | None = None,
    dotenv: Path | None = None,
    overrides: Mapping[str, str] | None = None,
) -> Settings:
    """Read every setting: command line first, then the environment, then `.env`, then the default.

    On the home of the demo what the demo wrote there comes before the environment. An empty value counts as unset, but for
    the command line and the demo, which can thereby clear a setting. `environ` defaults to the process environment,
    `dotenv` to `.env` in the working directory; `overrides` maps our variable names to text.
    Raises `SettingError` for the first bad value.
    """
    layers: Layers = [
        (COMMAND_LINE, dict(overrides or {})),
        ("environment", os.environ if environ is None else environ),
        (".env", _read_dotenv(Path(".env") if dotenv is None else dotenv)),
    ]
    layers.insert(1, (DEMO, _read_demo(layers)))
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for variable in VARIABLES:
        text, name, source = _look_up(variable, layers)
        sources[variable.field] = source
        try:
            cleared = text == "" and variable.default is None
            values[variable.field] = None if text is None or cleared else variable.parse(text)
        except (ValueError, KeyError):
            hide = variable.secret or "@" in (text or "")  # https://user:password@host
            shown = "the value given (not shown: it may hold a secret)" if hide else repr(text)
            raise SettingError(f"{name}: {shown} is not {variable.allowed} (from {source})") from None

    values["home"] = values["home"].absolute()
    values["bot_dir"] = (values["bot_dir"] or values["home"] / "bot").absolute()
    if values["whale_label"] is None:
        values["whale_label"] = short_address(values["whale_address"]) or "whale"
    values["history_start"] = values["history_start"] or datetime.now(UTC).date() - HISTORY
    assert set(values) | {"sources"} == {f.name for f in fields(Settings)}
    return Settings(**values, sources=sources)


def short_address(address: str | None) -> str | None:
    """`0xa1a1…a1a1` for a wallet address, None for None."""
    return f"{address[:6]}…{address[-4:]}" if address else None


def mark_simulated(settings: Settings) -> None:
    """Write the settings from the demo's command line into its home; `load_settings` reads them from there."""
    env = settings.to_env()
    given = [v.names[0] for v in VARIABLES if settings.sources[v.field] == COMMAND_LINE and v.field != "home"]
    replace_file(settings.home / SIMULATED, json.dumps({name: env.get(name, "") for name in given}, indent=1).encode())


def _look_up(variable: Variable, layers: Layers) -> tuple[str | None, str, str]:
    """(text, name it was found under, where it was found)."""
    for source, layer in layers:
        for name in variable.names:
            text = layer.get(name, "").strip()
            if text or (source in (COMMAND_LINE, DEMO) and name in layer):
                return text, name, source
    return variable.default, variable.names[0], "default"


def _read_demo(layers: Layers) -> dict[str, str]:
    """What the demo wrote into the home that the layers name; empty for any other home."""
    (home,) = (variable for variable in VARIABLES if variable.field == "home")
    text, _, _ = _look_up(home, layers)
    try:
        path = _directory(text or "") / SIMULATED
    except ValueError:
        return {}  # `load_settings` says so, with the variable's name
    try:
        found = json.loads(path.read_bytes() or b"{}")  # an empty one is of an earlier version, which kept nothing in it
        return {"POLYPIPE_SIMULATED": "1"} | {name: str(value) for name, value in found.items()}
    except OSError:
        return {}  # there is none; or the home cannot be read, and whatever is to be done there will say so
    except (ValueError, AttributeError):
        why = f"is not as `polypipe demo` writes it: delete {path.parent}, which holds simulated data only"
        raise SettingError(f"{path} {why}") from None


def unknown_names(dotenv: Path, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns unknown names that begin with POLYPIPE_, each with its source (`environment` or `.env`).

    `load_settings` ignores them, so a setting whose name is misspelt keeps its default. Only names are read. The
    arguments are those of `load_settings`. Raises `SettingError` for a `.env` that cannot be read.
    """
    known = {name for variable in VARIABLES for name in variable.names}
    named = _assignment(rf"{PREFIX}\w*")
    in_file = [match[1] for line in _lines(dotenv) if (match := named.match(line))]
    everything = os.environ if environ is None else environ
    in_environment = [name for name in everything if re.fullmatch(rf"{PREFIX}\w*", name)]
    found = dict.fromkeys(in_file, ".env") | dict.fromkeys(in_environment, "environment")
    return {name: source for name, source in sorted(found.items()) if name not in known}


def _assignment(names: str) -> re.Pattern[str]:
    """Matches a line of a `.env` that sets one of these names, its group 1; `names` is a regular expression."""
    return re.compile(rf"\s*(?:export\s+)?({names})\s*=")


def _lines(path: Path) -> Iterator[str]:
    """The lines of a `.env`; none when there is no file."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as lines:  # editors of Windows begin it with a mark
            for line in lines:
                if "\0" in line:
                    raise SettingError(f".env: {path} is no text in UTF-8: save it as such")
                yield line
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise SettingError(f".env: {path} cannot be read: {error.strerror}") from None


def _read_dotenv(path: Path) -> dict[str, str]:
    """Our variables from a `.env`; a missing file is empty. Other lines (the bot's secrets) are dropped unparsed."""
    ours = _assignment("|".join(name for variable in VARIABLES for name in variable.names))
    kept = [line for line in _lines(path) if ours.match(line)]
    found = {}
    for pair in parse_stream(io.StringIO("".join(kept))):
        if pair.error:  # passed over, it would silently have its default; the value may be a secret
            name = ours.match(pair.original.string)
            raise SettingError(f"{name[1] if name else '.env'}: its line in {path} is not NAME=value: a quote not closed?")
        if pair.key and pair.value:
            found[pair.key] = pair.value
    return found
