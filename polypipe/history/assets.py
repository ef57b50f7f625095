"""The Dagster assets of history, one partition a UTC day. The work is in plain modules."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from polypipe.history.activity import LoadedActivity, load_activity
from polypipe.history.copy_quality import Row, compute_quality, reasons_of
from polypipe.history.pnl import LoadedPnl, load_pnl
from polypipe.orchestration.assets import HISTORY, PYTHON_TABLE, SQL_TABLE
from polypipe.orchestration.daily import DailyAsset, DailyResult, DailyRun, daily_asset
from polypipe.orchestration.metadata import reasons_table
from polypipe.settings import Settings
from polypipe.wallets import Wallets

WALLET_PNL = dg.AssetKey("wallet_pnl")
WALLET_ACTIVITY = dg.AssetKey("wallet_activity")
COPY_QUALITY = dg.AssetKey("copy_quality_daily")

DAYS_A_RUN = 30
"""Days per run of a backfill that calls the API: a failure loses at most these."""

_PLOTTED = (
    "copier_pnl",
    "whale_pnl",
    "expected_pnl",
    "gap",
    "capture_up",
    "capture_down",
    "tracking_error",
    "hours_covered",
)
_PLOTTED_LONG = ("gap", "capture_up", "capture_down", "beta_to_ratio", "r2", "tracking_error", "gap_t")


def history_assets(partitions: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """All three, for the days of `partitions`."""
    return [daily_asset(spec, partitions) for spec in (_WALLET_PNL, _WALLET_ACTIVITY, _COPY_QUALITY)]


def _load_pnl(run: DailyRun) -> DailyResult:
    loaded = load_pnl(run.polymarket, run.warehouse, run.wallets, run.start, run.end)
    return DailyResult(
        {day: pnl_metadata(loaded, run.wallets, day) for day in run.days},
        {
            "requests": sum(len(history.requests) for history in loaded.histories),
            "asked": ", ".join("/".join(pair) for history in loaded.histories for pair in history.requests),
            "finer_points_kept": loaded.kept,
        },
        loaded.waiting,
    )


_WALLET_PNL = DailyAsset(
    WALLET_PNL,
    HISTORY,
    PYTHON_TABLE,
    description=(
        "Cumulative PnL of both wallets by the hour, in the table wallet_pnl; where the API has no hourly points any "
        "more, coarser ones that say so. Read by copy_quality_daily and the dashboard. Yesterday is there from 00:17 "
        "UTC on, and the days before it are read again, for the API revises them; any range is one pass, at most "
        "four requests."
    ),
    compute=_load_pnl,
    days_per_run=DAYS_A_RUN,
)


def _load_activity(run: DailyRun) -> DailyResult:
    loaded = load_activity(run.polymarket, run.warehouse, run.wallets, run.start, run.end)
    return DailyResult(
        {day: activity_metadata(loaded, run.wallets, day) for day in run.days},
        {
            "requests": sum(report.requests for report in loaded.reports),
            "rows_read_again": sum(report.read_again for report in loaded.reports),
        },
        loaded.waiting,
    )


_WALLET_ACTIVITY = DailyAsset(
    WALLET_ACTIVITY,
    HISTORY,
    PYTHON_TABLE,
    description=(
        "Every fill, split, merge, redeem, reward and rebate of both wallets, each once, in the table "
        "wallet_activity; activity_days names the days that are known completely. Read by the dashboard and "
        "`polypipe sql`. Yesterday is there from 00:17 UTC on; a range is read past its start or nothing of it is "
        "stored."
    ),
    compute=_load_activity,
    days_per_run=DAYS_A_RUN,
)


def _compute_quality(run: DailyRun) -> DailyResult:
    computed = compute_quality(run.warehouse, run.wallets, run.start, run.end)
    rows = run.windows_of(computed.rows)
    return DailyResult(
        {day: quality_metadata(windows, run.settings) for day, windows in rows.items()},
        {"later_days_computed_anew": computed.later_days},
        computed.waiting,
    )


_COPY_QUALITY = DailyAsset(
    COPY_QUALITY,
    HISTORY,
    SQL_TABLE,
    description=(
        "How well the copier followed ratio x the whale, day by day and over the 7 and 30 days that end with each: "
        "PnL of both, expected PnL, gap, capture of gains and losses, beta with its 95 % interval, tracking error, "
        "in the table copy_quality_daily; an unknown number is null with its reason. Reconstructed from wallet_pnl, "
        "also for days before polypipe was there. Read by the dashboard; yesterday is there from 00:17 UTC on."
    ),
    compute=_compute_quality,
    deps=[WALLET_PNL],  # not snapshots, whose ratio is used: each snapshot would make every day outdated
)


def pnl_metadata(filled: LoadedPnl, wallets: Wallets, day: date) -> dict[str, Any]:
    """Metadata of one day: points from its midnight on, up to the next."""
    copier, whale = (filled.points[who].get(day, 0) for who in (wallets.copier, wallets.whale))
    fidelities = {p.fidelity for history in filled.histories for p in history.points if p.t.date() == day}
    return {
        "dagster/partition_row_count": copier + whale,
        "copier_points": copier,
        "whale_points": whale,
        "fidelity": ", ".join(sorted(fidelities)) or "no points",
    }


def activity_metadata(filled: LoadedActivity, wallets: Wallets, day: date) -> dict[str, Any]:
    """Metadata of one day."""
    copier, whale = (filled.activities[who].get(day, 0) for who in (wallets.copier, wallets.whale))
    return {"dagster/partition_row_count": copier + whale, "copier_activities": copier, "whale_activities": whale}


def quality_metadata(rows: dict[int, Row], settings: Settings) -> dict[str, Any]:
    """Metadata of one day, from its row of each window. A number that is unknown is left out, so that its plot has a
    hole and no zero."""
    return {
        "dagster/partition_row_count": len(rows),
        **dict(_known(rows[1], _PLOTTED, "")),
        **dict(_known(rows[30], _PLOTTED_LONG, "_30d")),
        "source": rows[1]["source"],
        "reasons": dg.MetadataValue.md(reasons_table(reasons_of(rows[1]), settings)),
    }


def _known(row: Row, names: tuple[str, ...], suffix: str) -> Iterator[tuple[str, float]]:
    return ((name + suffix, row[name]) for name in names if row[name] is not None)
