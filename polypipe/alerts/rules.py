"""The rules of the alerts: one table of defaults, and what `alerts.toml` in the home changes of it.

A rule says when a condition counts (its limits), for how long it must last (hold), how often it may be told (cooldown),
and whether it is told at all. A file with a mistake changes nothing: the last good rules stay in force.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import time, timedelta
from pathlib import Path
from typing import Any

from polypipe.errors import PolypipeError
from polypipe.files import replace_file

FILE = "alerts.toml"
LAST_GOOD = "alerts/last-good.toml"
DIGEST = "digest"

SEVERITIES = ("info", "warning", "critical")


class BadRules(PolypipeError):
    """The file cannot be used. The message is one line: what is wrong, and what is allowed."""


@dataclass(frozen=True)
class Limit:
    """A number of a rule: its value, the least and the greatest allowed, and its unit in words."""

    value: float
    low: float
    high: float
    unit: str


@dataclass(frozen=True)
class Rule:
    """One condition: its name, the headline of its messages, and everything that the user may change of it.

    `limits` are numbers by name; `names` lists of texts by name (known market versions). `over` begins a recovery.
    """

    condition: str
    headline: str
    severity: str
    hold: timedelta
    cooldown: timedelta
    limits: Mapping[str, Limit] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mute: bool = False
    dry_run: bool = False
    source: str = "default"
    over: str = "Over"

    def limit(self, name: str) -> float:
        """The value of one limit."""
        return self.limits[name].value


@dataclass(frozen=True)
class DigestRule:
    """The daily digest: when (UTC), and whether it is sent."""

    at: time = time(0, 40)  # after attribution, which begins at 00:27
    mute: bool = False
    dry_run: bool = False
    source: str = "default"


@dataclass(frozen=True)
class Rules:
    """The rules in force. `error` says what is wrong with the user's file, which is then not what is in force."""

    rules: Mapping[str, Rule]
    digest: DigestRule
    error: str | None = None


def _rule(
    condition: str,
    severity: str,
    headline: str,
    hold: str,
    cooldown: str,
    names: Mapping[str, tuple[str, ...]] | None = None,
    over: str = "Over",
    **limits: tuple[float, float, float, str],
) -> Rule:
    numbers = {name: Limit(*parts) for name, parts in limits.items()}
    times = duration_of(hold), duration_of(cooldown)
    return Rule(condition, headline, severity, *times, numbers, names or {}, over=over)


def defaults() -> dict[str, Rule]:
    """Every condition with its defaults; a limit is (value, least, greatest, unit)."""
    usd, count = (0.01, 1e9, "USD"), (1, 1000, "in a row")
    percent = (0.0, 1000.0, "percent of the copier's capital")
    fills = (20, 1000, "fills")
    table = (
        # The pipeline
        _rule("run_failed", "critical", "A job keeps failing", "0s", "1h", failures=(3, *count)),
        _rule("tick_failing", "critical", "A schedule or sensor keeps failing", "0s", "1h", failures=(3, *count)),
        _rule("crawl_incomplete", "warning", "Crawls are incomplete", "0s", "1h", failures=(3, *count)),
        _rule("source_stale", "warning", "A source gives nothing", "3m", "1h", minutes=(15, 2, 1440, "minutes")),
        _rule(
            "contract_drift", "critical", "Polymarket's API has changed", "0s", "1d", {"versions": ("v1", "v2")},
            dropped=(50, 1, 1e6, "rows of a crawl that could not be read"),
        ),
        _rule("file_refused", "warning", "A file of the bot was refused", "0s", "1h"),
        _rule("file_old", "critical", "A file of the bot is old", "3m", "1h"),
        _rule("disk_low", "critical", "The disk is nearly full", "0s", "6h", gigabytes=(2, 0.001, 1e6, "GB free")),
        _rule("alert_rules", "warning", "alerts.toml is not in force", "0s", "1d"),
        _rule("alert_state", "warning", "The alerts began anew", "0s", "1h"),
        # Copying, told within minutes
        _rule(
            "missed_copy", "critical", "The whale traded and the copier did not", "0s", "5m",
            over="No new miss (whether it was made good is not looked at)",
            usd=(100, *usd), seconds=(180, 30, 600, "seconds after the whale's fill"),
        ),
        _rule("uncopied_exit", "critical", "The whale is out, the copier still in", "15m", "1h", usd=(25, *usd)),
        _rule("bot_silent", "critical", "The bot is silent while the whale trades", "0s", "1h", fills=(5, 1, 100, "fills")),
        _rule(
            "failure_burst", "critical", "The bot's orders keep failing", "0s", "30m",
            count=(5, 2, 1000, "failures for one reason"), minutes=(10, 1, 60, "minutes"),
        ),
        _rule("daily_loss", "warning", "The copier is losing", "10m", "6h", usd=(100, *usd), percent=(20, *percent)),
        _rule("unredeemed", "info", "Winnings wait to be redeemed", "6h", "1d", usd=(50, *usd)),
        # Copying, known by the day
        _rule(
            "copy_gap", "warning", "The copier falls behind", "0s", "1d",
            usd=(100, *usd), percent=(5, *percent), days=(7, 1, 30, "days: 1, 7 or 30"), t=(2, 0, 100, "least |t|"),
        ),
        _rule(
            "ratio_mismatch", "warning", "The bot copies at another ratio", "0s", "1d",
            percent=(5, 0.1, 1000, "percent off the setting"),
        ),
        _rule("slippage", "warning", "Slippage is high", "0s", "1d", cents=(3, 0.01, 100, "cents a share, 95 % of fills"),
              fills=(100, *fills)),
        _rule("latency", "warning", "Copies come late", "0s", "1d", seconds=(120, 1, 3600, "seconds, 95 % of fills"),
              fills=(100, *fills)),
        _rule("copy_rate", "warning", "Too few fills are copied", "0s", "1d", percent=(70, 0, 100, "percent"),
              fills=(100, *fills)),
        _rule(
            "drawdown", "warning", "The copier is far below its peak", "0s", "1d",
            usd=(200, *usd), percent=(50, *percent), days=(30, 1, 90, "days"),
        ),
    )  # fmt: skip
    return {rule.condition: rule for rule in table}


def load_rules(home: Path, remember: bool = False) -> Rules:
    """The rules in force for a home. With `remember` a good file is kept, to stay in force when the user breaks it."""
    path, kept = home / FILE, home / LAST_GOOD
    try:
        text = path.read_bytes()
        rules = parse(text)
    except FileNotFoundError:
        if remember:
            kept.unlink(missing_ok=True)
        return Rules(defaults(), DigestRule())
    except (OSError, BadRules) as error:
        why = f"{path.name}: {error.strerror if isinstance(error, OSError) else error}"
        return replace(_last_good(kept), error=why)
    if remember and (not kept.exists() or kept.read_bytes() != text):
        replace_file(kept, text)
    return rules


def parse(text: bytes) -> Rules:
    """The rules that a file asks for. Raises `BadRules`."""
    try:
        document = tomllib.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # not only TOMLDecodeError: a number of 5,000 digits, a nest of brackets
        raise BadRules(f"it is not TOML: {' '.join(str(error).split())}") from None
    rules, digest = defaults(), DigestRule()
    for name, section in document.items():
        if name != DIGEST and name not in rules:
            raise BadRules(f"there is no condition {_shown(name)}; conditions: {', '.join([*rules, DIGEST])}")
        if not isinstance(section, dict):
            raise BadRules(f"{name} is not a section: write [{name}] and its keys below it")
        if name == DIGEST:
            digest = _changed_digest(digest, section)
        else:
            rules[name] = _changed(rules[name], section)
    return Rules(rules, digest)


def _last_good(kept: Path) -> Rules:
    try:
        return parse(kept.read_bytes())
    except (OSError, BadRules):
        return Rules(defaults(), DigestRule())


def _changed(rule: Rule, section: Mapping[str, Any]) -> Rule:
    limits, names, changes = dict(rule.limits), dict(rule.names), dict[str, Any]()
    for key, value in section.items():
        where = f"{rule.condition}.{key}"
        if key in ("hold", "cooldown"):
            changes[key] = _asked_duration(where, value)
        elif key == "severity":
            if value not in SEVERITIES:
                raise BadRules(f"{where}: {_shown(value)} is not {', '.join(SEVERITIES)}")
            changes[key] = value
        elif key in ("mute", "dry_run"):
            changes[key] = _flag(where, value)
        elif key in limits:
            limits[key] = replace(limits[key], value=_number(where, value, limits[key]))
        elif key in names:
            if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
                raise BadRules(f"{where}: {_shown(value)} is not a list of texts")
            names[key] = tuple(value)
        else:
            allowed = [*limits, *names, "hold", "cooldown", "severity", "mute", "dry_run"]
            raise BadRules(f"{rule.condition} has no key {_shown(key)}; its keys: {', '.join(allowed)}")
    return replace(rule, limits=limits, names=names, source=FILE, **changes)


def _changed_digest(digest: DigestRule, section: Mapping[str, Any]) -> DigestRule:
    changes: dict[str, Any] = {}
    for key, value in section.items():
        if key == "at":
            if not isinstance(value, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
                raise BadRules(f'digest.at: {_shown(value)} is not a time of day in UTC such as "00:40"')
            changes[key] = time.fromisoformat(value)
        elif key in ("mute", "dry_run"):
            changes[key] = _flag(f"digest.{key}", value)
        else:
            raise BadRules(f"digest has no key {_shown(key)}; its keys: at, mute, dry_run")
    return replace(digest, source=FILE, **changes)


def _flag(where: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadRules(f"{where}: {_shown(value)} is not true or false")
    return value


def _number(where: str, value: Any, limit: Limit) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not limit.low <= value <= limit.high:  # nan is in no range
        raise BadRules(f"{where}: {_shown(value)} is not a number from {limit.low:g} to {limit.high:g} ({limit.unit})")
    if where.startswith("copy_gap.days") and value not in (1, 7, 30):
        raise BadRules(f"{where}: {_shown(value)} is not 1, 7 or 30")
    return float(value)


def _asked_duration(where: str, value: Any) -> timedelta:
    try:
        return duration_of(value)
    except (TypeError, ValueError):
        raise BadRules(
            f'{where}: {_shown(value)} is not a duration such as "90s", "15m", "2h" or "7d", at most 366d'
        ) from None


def duration_of(text: str) -> timedelta:
    """A duration from `90s`, `15m`, `2h` or `7d`, at most 366 days. Raises ValueError or TypeError."""
    match = re.fullmatch(r"(\d{1,8})([smhd])", text, re.ASCII)
    if match is None:
        raise ValueError(text)
    duration = timedelta(seconds=int(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]])
    if duration > timedelta(days=366):
        raise ValueError(text)
    return duration


def _shown(value: Any) -> str:
    return ascii(value)[:60]
