"""The variables that polypipe reads: names, defaults, allowed values and parsers."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from polypipe.bot_profile import ALLOWED, CONSTANTS, PROFILES, parse_profile

PREFIX = "POLYPIPE_"

FIRST_DAY = date(2020, 1, 1)  # before Polymarket: an earlier year is a typo


@dataclass(frozen=True)
class Variable:
    """One setting: its field, the names it is read from (ours first), default, parser and allowed values."""

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


def _address(text: str) -> str:
    match = re.fullmatch(r"(?:0x)?([0-9a-fA-F]{40})", text)
    if not match:
        raise ValueError
    return "0x" + match[1].lower()


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or parts.query or parts.fragment or re.search(r"[^!-?A-~]", text):
        raise ValueError
    if not re.fullmatch(r"[0-9a-z._:-]+", parts.hostname or ""):
        raise ValueError
    _ = parts.port  # raises ValueError unless it is a port number
    return text.rstrip("/")


def _ping(text: str) -> str:
    """A URL that is called unchanged: the service defines its path and query."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or re.search(r"[^!-~]", text):
        raise ValueError
    _ = parts.port  # raises ValueError unless it is a port number
    return text


def directory(text: str) -> Path:
    """A path with `~` expanded. Raises `ValueError` for an unknown user."""
    try:
        return Path(text).expanduser()
    except RuntimeError:  # ~name of an unknown user
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


def _backups(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 365:
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
    return f"postgresql+psycopg2://{match[1]}"  # SQLAlchemy picks another driver without it


def _urls(text: str) -> tuple[str, ...]:
    urls = tuple(part.strip() for part in text.split(",") if part.strip())
    if not all(re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", url) for url in urls):
        raise ValueError
    return urls


_ADDRESS = "40 hex digits, with or without 0x"
_URL = "an http or https URL without spaces, query and password"
_PORT = "a port number from 1 to 65535"

VARIABLES = (
    Variable("copier_address", ("POLYPIPE_COPIER_ADDRESS", "FUNDER_ADDRESS"), None, _address, _ADDRESS),
    Variable("whale_address", ("POLYPIPE_WHALE_ADDRESS", "TARGET_WHALE_ADDRESS"), None, _address, _ADDRESS),
    Variable("copier_label", ("POLYPIPE_COPIER_LABEL",), "You", str, "any text"),
    Variable("whale_label", ("POLYPIPE_WHALE_LABEL",), None, str, "any text"),
    Variable("scaling_ratio", ("POLYPIPE_SCALING_RATIO",), "0.08", _ratio, "a number above 0"),
    Variable("home", ("POLYPIPE_HOME",), "data", directory, "a directory"),
    Variable("bot_dir", ("POLYPIPE_BOT_DIR",), None, directory, "a directory"),
    Variable("bot_profile", ("POLYPIPE_BOT_PROFILE",), None, parse_profile, ALLOWED),
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
    Variable("backups", ("POLYPIPE_BACKUPS",), "7", _backups, "a whole number from 0 (none) to 365"),
    # Set by `polypipe demo`: marks numbers as simulated wherever they are shown.
    Variable("simulated", ("POLYPIPE_SIMULATED",), "0", _flag, "0 or 1"),
)

NAMES = frozenset(name for variable in VARIABLES for name in variable.names)
BOT_NAMES = frozenset(name for profile in PROFILES.values() for name, _ in profile.names) - CONSTANTS
"""Variables of the bots that change their profile (`bot_profile.py`)."""
