"""The rules of the alerts: one table of defaults, and the changes that `alerts.toml` in the home makes to it.

A rule says at which limits a finding fires, how long it must last (hold), how often it may be sent (cooldown), and whether
it is sent at all. The limits are those of the health registry unless the file sets them. An invalid file changes nothing:
the last valid rules stay in force.
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
from polypipe.limits import NUMBERS, Limits, Number, limits
from polypipe.settings import Settings

FILE = "alerts.toml"
LAST_GOOD = "alerts/last-good.toml"
DIGEST = "digest"

SEVERITIES = ("info", "warning", "critical")


class InvalidRules(PolypipeError):
    """The file cannot be used. The message is one line: what is wrong, and what is allowed."""


@dataclass(frozen=True)
class Rule:
    """One rule: the headline of its messages, and everything that the user may change.

    `limits` are numbers by name; `names` lists of texts by name (known market versions). `recovery` begins the message of
    a recovery. `changed` names the limits that the file sets.
    """

    name: str
    severity: str
    headline: str
    hold: timedelta
    cooldown: timedelta
    limits: Mapping[str, float] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()
    mute: bool = False
    dry_run: bool = False
    source: str = "default"
    recovery: str = "Over"


@dataclass(frozen=True)
class DigestRule:
    """The daily digest: its time (UTC), and whether it is sent."""

    at: time = time(0, 40)  # after attribution, which begins at 00:27
    mute: bool = False
    dry_run: bool = False
    source: str = "default"


@dataclass(frozen=True)
class Rules:
    """The rules in force. `error` says what is wrong with the user's file, which is then not in force."""

    rules: Mapping[str, Rule]
    digest: DigestRule
    error: str | None = None

    @property
    def changed_numbers(self) -> dict[tuple[str, str], float]:
        """(rule, limit) -> value that the user's file sets: the overrides of the registry's limits."""
        return {(rule.name, limit): rule.limits[limit] for rule in self.rules.values() for limit in rule.changed}


_TABLE = (
    # The pipeline
    ("run_failed", "critical", "A job keeps failing", "0s", "1h"),
    ("tick_failing", "critical", "A schedule or sensor keeps failing", "0s", "1h"),
    ("crawl_incomplete", "warning", "Crawls are incomplete", "0s", "1h"),
    ("source_stale", "warning", "A source is stale", "3m", "1h"),
    ("contract_drift", "critical", "Polymarket's API has changed", "0s", "1d"),
    ("file_refused", "warning", "A file of the bot was refused", "0s", "1h"),
    ("file_old", "critical", "A file of the bot is stale", "3m", "1h"),
    ("database_damaged", "critical", "The database was damaged", "0s", "1m"),
    ("disk_low", "critical", "The disk is nearly full", "0s", "6h"),
    ("alert_rules", "warning", "alerts.toml is invalid", "0s", "1d"),
    ("alert_state", "warning", "The state of the alerts was lost", "0s", "1h"),
    # Copying, known within minutes
    ("missed_copy", "critical", "The whale traded and the copier did not", "0s", "5m"),
    ("uncopied_exit", "critical", "The whale is out, the copier still in", "15m", "1h"),
    ("bot_silent", "critical", "The bot is silent while the whale trades", "0s", "1h"),
    ("failure_burst", "critical", "The bot's orders keep failing", "0s", "30m"),
    ("daily_loss", "warning", "The copier is losing", "10m", "6h"),
    ("unredeemed", "info", "Winnings can be redeemed", "6h", "1d"),
    # Copying, known by the day
    ("copy_gap", "warning", "The copier falls behind", "0s", "1d"),
    ("ratio_mismatch", "warning", "The bot copies at another ratio", "0s", "1d"),
    ("slippage", "warning", "Slippage is high", "0s", "1d"),
    ("latency", "warning", "Copies are late", "0s", "1d"),
    ("copy_rate", "warning", "Too few fills are copied", "0s", "1d"),
    ("drawdown", "warning", "The copier is far below its peak", "0s", "1d"),
)
_NAMES = {"contract_drift": {"versions": ("v1", "v2")}}
_RECOVERIES = {"missed_copy": "No new miss (whether this one was made up for is not checked)"}


def defaults(in_force: Limits | None = None) -> dict[str, Rule]:
    """Every rule with its defaults, and the limits of the registry."""
    in_force = in_force or Limits()
    return {
        name: Rule(
            name,
            severity,
            headline,
            duration_of(hold),
            duration_of(cooldown),
            {limit: in_force.number(name, limit) for limit in NUMBERS.get(name, {})},
            _NAMES.get(name, {}),
            recovery=_RECOVERIES.get(name, "Over"),
        )
        for name, severity, headline, hold, cooldown in _TABLE
    }


def load_rules(settings: Settings, remember: bool = False) -> Rules:
    """The rules in force for a home. With `remember` a valid file is kept, to stay in force when the user breaks it."""
    path, kept, base = settings.home / FILE, settings.home / LAST_GOOD, defaults(limits(settings))
    try:
        text = path.read_bytes()
        rules = parse(text, base)
    except FileNotFoundError:
        if remember:
            kept.unlink(missing_ok=True)
        return Rules(base, DigestRule())
    except (OSError, InvalidRules) as error:
        why = f"{path.name}: {error.strerror if isinstance(error, OSError) else error}"
        return replace(_last_good(kept, base), error=why)
    if remember and (not kept.exists() or kept.read_bytes() != text):
        replace_file(kept, text)
    return rules


def parse(text: bytes, base: Mapping[str, Rule] | None = None) -> Rules:
    """The rules of a file, on top of `base` (the defaults). Raises `InvalidRules`."""
    try:
        document = tomllib.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # not only TOMLDecodeError: a number of 5,000 digits, deep nesting
        raise InvalidRules(f"not valid TOML: {' '.join(str(error).split())}") from None
    rules, digest = dict(base or defaults()), DigestRule()
    for name, section in document.items():
        if name != DIGEST and name not in rules:
            raise InvalidRules(f"unknown rule {_shown(name)}; choose from {', '.join([*rules, DIGEST])}")
        if not isinstance(section, dict):
            raise InvalidRules(f"{name} is not a section: write [{name}] and its keys below it")
        if name == DIGEST:
            digest = _changed_digest(digest, section)
        else:
            rules[name] = _changed(rules[name], section)
    return Rules(rules, digest)


def _last_good(kept: Path, base: Mapping[str, Rule]) -> Rules:
    try:
        return parse(kept.read_bytes(), base)
    except (OSError, InvalidRules):
        return Rules(base, DigestRule())


def _changed(rule: Rule, section: Mapping[str, Any]) -> Rule:
    limits, names, changes = dict(rule.limits), dict(rule.names), dict[str, Any]()
    for key, value in section.items():
        where = f"{rule.name}.{key}"
        if key in ("hold", "cooldown"):
            changes[key] = _asked_duration(where, value)
        elif key == "severity":
            if value not in SEVERITIES:
                raise InvalidRules(f"{where}: {_shown(value)} is not {', '.join(SEVERITIES)}")
            changes[key] = value
        elif key in ("mute", "dry_run"):
            changes[key] = _flag(where, value)
        elif key in limits:
            limits[key] = _number(where, value, NUMBERS[rule.name][key])
        elif key in names:
            if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
                raise InvalidRules(f"{where}: {_shown(value)} is not a list of texts")
            names[key] = tuple(value)
        else:
            allowed = [*limits, *names, "hold", "cooldown", "severity", "mute", "dry_run"]
            raise InvalidRules(f"{rule.name} has no key {_shown(key)}; choose from {', '.join(allowed)}")
    changed = rule.changed | {key for key in section if key in limits}
    return replace(rule, limits=limits, names=names, changed=changed, source=FILE, **changes)


def _changed_digest(digest: DigestRule, section: Mapping[str, Any]) -> DigestRule:
    changes: dict[str, Any] = {}
    for key, value in section.items():
        if key == "at":
            if not isinstance(value, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
                raise InvalidRules(f'digest.at: {_shown(value)} is not a time of day in UTC such as "00:40"')
            changes[key] = time.fromisoformat(value)
        elif key in ("mute", "dry_run"):
            changes[key] = _flag(f"digest.{key}", value)
        else:
            raise InvalidRules(f"digest has no key {_shown(key)}; choose from at, mute, dry_run")
    return replace(digest, source=FILE, **changes)


def _flag(where: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidRules(f"{where}: {_shown(value)} is not true or false")
    return value


def _number(where: str, value: Any, limit: Number) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not limit.low <= value <= limit.high:  # nan is in no range
        raise InvalidRules(f"{where}: {_shown(value)} is not a number from {limit.low:g} to {limit.high:g} ({limit.unit})")
    if where.startswith("copy_gap.days") and value not in (1, 7, 30):
        raise InvalidRules(f"{where}: {_shown(value)} is not 1, 7 or 30")
    return float(value)


def _asked_duration(where: str, value: Any) -> timedelta:
    try:
        return duration_of(value)
    except (TypeError, ValueError):
        raise InvalidRules(
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
