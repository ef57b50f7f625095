"""Asset checks of divergence: what is stored now, whoever wrote it. They only report."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from polypipe.divergence.assets import POSITIONS_FRESH, SNAPSHOT, SNAPSHOT_FRESH
from polypipe.legacy.database import inspect
from polypipe.orchestration.checks import check_result
from polypipe.settings import Settings
from polypipe.text import utc_text
from polypipe.warehouse import Warehouse

GAP_INTERVALS = 3
"""Snapshots further apart than this many intervals leave a gap; a late tick and an outage's retries fit into it."""


@dg.multi_asset_check(
    name="divergence_snapshot_checks",
    specs=[
        dg.AssetCheckSpec("recent", asset=SNAPSHOT, description="The newest snapshot is not older than 5 minutes."),
        dg.AssetCheckSpec("complete", asset=SNAPSHOT, description="Every source of the newest snapshot answered."),
        dg.AssetCheckSpec("gaps", asset=SNAPSHOT, description="No snapshot is missing in the last 24 hours."),
    ],
)
def snapshot_checks(
    settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
) -> Iterator[dg.AssetCheckResult]:
    """Judge the rows of the last 24 hours."""
    yield from judge_snapshots(settings, warehouse)


def judge_snapshots(settings: Settings, warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
    """The three checks of the snapshots, for a run and for the sensor's ticks."""
    now = datetime.now(UTC)
    with warehouse.read() as con:
        rows = con.execute(
            "SELECT timestamp, sources FROM snapshots "
            "WHERE origin = 'polypipe' AND timestamp > now() - INTERVAL 24 HOUR ORDER BY timestamp"
        ).fetchall()
    if not rows:
        text = "no snapshot in the last 24 hours"
        yield check_result("recent", False, text, error=True)
        yield check_result("complete", False, text)
        yield check_result("gaps", False, text)
        return
    times = [time.astimezone(UTC) for time, _ in rows]
    age = now - times[-1]
    text = f"{age.total_seconds():.0f} s old, limit {SNAPSHOT_FRESH.total_seconds():.0f} s"
    yield check_result("recent", age <= SNAPSHOT_FRESH, text, error=True, seconds=age.total_seconds())
    silent = [name for name, source in json.loads(rows[-1][1]).items() if not source["ok"]]
    yield check_result("complete", not silent, f"no answer from {', '.join(silent)}" if silent else "all sources answered")
    longest = GAP_INTERVALS * timedelta(seconds=settings.snapshot_seconds)
    gaps = [(a, b) for a, b in zip(times, [*times[1:], now], strict=True) if b - a > longest]
    worst = f"; the longest ended {utc_text(max(gaps, key=lambda gap: gap[1] - gap[0])[1])}" if gaps else ""
    yield check_result("gaps", not gaps, f"{len(gaps)} gaps in {len(rows)} snapshots{worst}", gaps=len(gaps))


@dg.multi_asset_check(
    name="positions_checks",
    specs=[
        dg.AssetCheckSpec("recent", asset="positions", description="The newest comparison is not older than 20 minutes."),
        dg.AssetCheckSpec("orphans", asset="positions", description="The copier holds nothing that the whale has left."),
    ],
)
def positions_checks(warehouse: dg.ResourceParam[Warehouse]) -> Iterator[dg.AssetCheckResult]:
    """Judge the last comparison."""
    with warehouse.read() as con:
        last = con.execute(
            "SELECT compared_at, orphan, orphan_usd FROM position_summaries ORDER BY compared_at DESC LIMIT 1"
        ).fetchone()
    if last is None:
        yield check_result("recent", False, "never compared", error=True)
        yield check_result("orphans", False, "never compared")
        return
    age = datetime.now(UTC) - last[0]
    text = f"{age.total_seconds():.0f} s old, limit {POSITIONS_FRESH.total_seconds():.0f} s"
    yield check_result("recent", age <= POSITIONS_FRESH, text, error=True, seconds=age.total_seconds())
    worth = "unknown" if last[2] is None else f"${last[2]:,.2f}"
    yield check_result("orphans", last[1] == 0, f"{last[1]} orphans, worth {worth}", orphans=last[1])


@dg.asset_check(asset="divergence_db", name="whole", description="The database is undamaged and can be read.")
def database_check(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """Open the file as a reader would."""
    rows, fault = inspect(settings.bot_dir / "divergence_data.db")
    return dg.AssetCheckResult(passed=fault is None, description=fault or f"{rows} rows", metadata={"rows": rows})


divergence_checks = [snapshot_checks, positions_checks, database_check]
