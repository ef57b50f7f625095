"""Facts and findings by hand, for tests of probes."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from polypipe.attribution.fills import Fill
from polypipe.health.dagster_adapter import asset_checks
from polypipe.health.facts import Facts
from polypipe.health.finding import EVERY_KEY, Finding
from polypipe.health.records import BotLog, NewestFills, Servers, SnapshotDay, SpoolState, TicksAndRuns, WalletFills
from polypipe.health.registry import BY_NAME
from polypipe.limits import Limits
from polypipe.wallets import Wallets
from polypipe_tests.conftest import NOWHERE, settings_for

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVER = datetime.min.replace(tzinfo=UTC)
WALLETS = Wallets("0x" + "c0" * 20, "0x" + "a1" * 20, 0.1)
NO_WALLETS = {"unknown": "no wallets are set"}

NOTHING: dict[str, Any] = {
    "files": (), "crawls": (), "versions": {}, "snapshot": None, "snapshot_day": SnapshotDay((), ()), "window_gap": None,
    "positions": None, "exits": None, "stored_activity": {}, "unproven_days": {},
    "compared_at": None, "published_at": None, "eligible_fills": (), "copied_days": None, "pairs": (), "copier_pnl": None,
    "failures": (), "log": BotLog(False, None, True), "free": {}, "spool": SpoolState(), "servers": Servers(),
    "ticks_and_runs": TicksAndRuns(), "recovery": None, "lost": (),
}  # fmt: skip


def facts(*, now: datetime = NOW, since: datetime | None = NOW - timedelta(days=1), **known: Any) -> Facts:
    """The facts given are known, nothing else; watched for a day. `limits` are (rule, name) -> number."""
    limits = known.pop("limits", {})
    interval = known.pop("interval", MINUTE)
    found = Facts(
        settings_for(NOWHERE),
        now,
        since=since,
        versions_known=("v1", "v2"),
        limits_in_force=Limits(interval, limits),
    )
    found.wallets = WALLETS
    vars(found).update(NOTHING | known)
    return found


def run(probe: str, known: Facts, **limits: float) -> list[Finding]:
    """The findings of a probe; `limits` change numbers of its rule."""
    if limits:
        rule = BY_NAME[probe].rule
        known.limits = replace(known.limits, changed={**known.limits.changed, **{(rule, k): v for k, v in limits.items()}})
    return BY_NAME[probe].run(known)


def states(findings: Iterable[Finding]) -> dict[str, str]:
    """Key -> state; {"unknown": why} for the keys without a finding."""
    return {
        ("unknown" if one.key == EVERY_KEY else one.key): (one.text if one.key == EVERY_KEY else one.state)
        for one in findings
    }


def state(probe: str, known: Facts, **limits: float) -> dict[str, str]:
    """The states of a probe's findings."""
    return states(run(probe, known, **limits))


def fill(
    minutes_ago: float, shares: float = 1000, price: float = 0.5, side: str = "BUY", token: str = "T", **more: Any
) -> Fill:
    """A fill `minutes_ago` before NOW."""
    t = (NOW - minutes_ago * MINUTE).timestamp()
    values = {"transaction": f"0x{t}", "title": "Who wins?", "outcome": "Yes"} | more
    return Fill(f"{token}{t}{shares}", t, token, side, shares, price, **values)  # type: ignore[arg-type]


def newest_fills(whale: list[Fill], copier: list[Fill], since: datetime = EVER) -> NewestFills:
    """Fills of both wallets, listed back to `since`."""
    return NewestFills(WalletFills(since, whale), WalletFills(since, copier))


def checks_of(*assets: str) -> list[dg.AssetChecksDefinition]:
    """The definitions of the checks of these assets."""
    return [check for check in asset_checks if {key.asset_key.to_user_string() for key in check.check_keys} <= set(assets)]
