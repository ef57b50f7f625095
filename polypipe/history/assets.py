"""The assets of past days, partitioned by UTC day: PnL and activity of both wallets, and copy quality."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg

from polypipe.history.activity import load_activity
from polypipe.history.copy_quality import compute_quality, reasons_of
from polypipe.history.pnl import load_pnl
from polypipe.history.stored_days import pnl_days
from polypipe.orchestration.asset_defaults import HISTORY, PYTHON_TABLE, SQL_TABLE
from polypipe.orchestration.daily import DailyReport, DailyRun, daily_asset
from polypipe.orchestration.metadata import reasons_table
from polypipe.orchestration.upstream import Upstream
from polypipe.settings import Settings
from polypipe.text import count
from polypipe.warehouse.rows import CopyQualityRow

WALLET_PNL = dg.AssetKey("wallet_pnl")
WALLET_ACTIVITY = dg.AssetKey("wallet_activity")
COPY_QUALITY = dg.AssetKey("copy_quality_daily")

DAYS_A_RUN = 30
"""Days of one backfill run of the assets that call the API; a failed run loses no more than these."""

_PLOTTED = (
    "copier_pnl", "whale_pnl", "expected_pnl", "gap", "capture_up", "capture_down", "tracking_error", "hours_covered",
)  # fmt: skip
_PLOTTED_30_DAYS = ("gap", "capture_up", "capture_down", "beta_to_ratio", "r2", "tracking_error", "gap_t")


def history_assets(partitions: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """All three assets, for the days of `partitions`."""
    return [
        daily_asset(
            WALLET_PNL,
            partitions,
            wallet_pnl,
            group=HISTORY,
            kinds=PYTHON_TABLE,
            days_a_run=DAYS_A_RUN,
            description=(
                "Cumulative hourly PnL of both wallets, in the table wallet_pnl; coarser points, marked as such, where the "
                "API no longer has hourly ones. Read by copy_quality_daily and the dashboard. Yesterday is stored from "
                "00:17 UTC on; the three days before it are read again, because the API revises them. A range of days "
                "takes one pass of at most four requests."
            ),
        ),
        daily_asset(
            WALLET_ACTIVITY,
            partitions,
            wallet_activity,
            group=HISTORY,
            kinds=PYTHON_TABLE,
            days_a_run=DAYS_A_RUN,
            description=(
                "Every fill, split, merge, redeem, reward and rebate of both wallets, each once, in the table "
                "wallet_activity; activity_days lists the days that are complete, activity_unknown_days those that other "
                "facts contradict, with the reason. Read by copy_fills, the dashboard and `polypipe sql`. Yesterday is "
                "stored from 00:17 UTC on. A range that cannot be read completely is not stored."
            ),
        ),
        daily_asset(
            COPY_QUALITY,
            partitions,
            copy_quality_daily,
            # And the ratio of snapshots: as an edge it would make every day outdated each minute.
            upstream=[Upstream("wallet_pnl", pnl_days, may_be_empty=True)],
            group=HISTORY,
            kinds=SQL_TABLE,
            description=(
                "How well the copier followed ratio x the whale, per day and over the 7 and 30 days that end with it: PnL "
                "of both, expected PnL, gap, capture of gains and losses, beta, tracking error, and 95 % intervals of gap "
                "and beta from 6 days on, in the table copy_quality_daily. An unknown number is null with its reason. "
                "Computed from wallet_pnl, so also for days before polypipe was installed. Read by attribution and the "
                "dashboard; yesterday is stored from 00:17 UTC on."
            ),
        ),
    ]


def wallet_pnl(run: DailyRun) -> DailyReport:
    """Read and store the points of both wallets."""
    loaded = load_pnl(run.polymarket, run.warehouse, run.wallets, run.start, run.end)
    days = {}
    for day in run.days:  # points from the day's midnight up to the next
        copier, whale = (loaded.points[wallet].get(day, 0) for wallet in (run.wallets.copier, run.wallets.whale))
        fidelities = {p.fidelity for history in loaded.histories for p in history.points if p.t.date() == day}
        days[day] = {
            "dagster/partition_row_count": copier + whale,
            "copier_points": copier,
            "whale_points": whale,
            "fidelity": ", ".join(sorted(fidelities)) or "no points",
        }
    return DailyReport(
        days,
        loaded.waiting,
        {
            "requests": sum(len(history.requests) for history in loaded.histories),
            "asked": ", ".join("/".join(pair) for history in loaded.histories for pair in history.requests),
            "finer_points_kept": loaded.kept,
        },
    )


def wallet_activity(run: DailyRun) -> DailyReport:
    """Read the activity of both wallets backwards and replace the rows of the days."""
    loaded = load_activity(run.polymarket, run.warehouse, run.wallets, run.start, run.end)
    pair = {"copier": run.wallets.copier, "whale": run.wallets.whale}
    unproven = {wallet: {day.date(): why for day, why in found.items()} for wallet, found in loaded.unproven.items()}
    days: dict[date, dict[str, Any]] = {}
    for day in run.days:
        copier, whale = (loaded.activities[wallet].get(day, 0) for wallet in (run.wallets.copier, run.wallets.whale))
        days[day] = {
            "dagster/partition_row_count": copier + whale,
            "copier_activities": copier,
            "whale_activities": whale,
            **{f"{who}_unknown": why for who, wallet in pair.items() if (why := unproven.get(wallet, {}).get(day))},
        }
    return DailyReport(
        days,
        loaded.waiting,
        {
            "requests": sum(report.requests for report in loaded.reports),
            "rows_read_again": sum(report.read_again for report in loaded.reports),
        },
        [
            *(
                f"{what} could not be read: {why}"
                for what, why in (
                    ("the combos", loaded.combos_unread),
                    ("the numbers of outcomes of events", loaded.sizes_unread),
                )
                if why
            ),
            *loaded.markets_unread,
            *(
                f"{count(len(found), 'day')} of the {who} not known completely; {min(found)}: {found[min(found)]}"
                for who, wallet in pair.items()
                if (found := unproven[wallet])
            ),
        ],
    )


def copy_quality_daily(run: DailyRun) -> DailyReport:
    """Compute the days from the stored points."""
    computed = compute_quality(run.warehouse, run.wallets, run.start, run.end)
    days = {}
    for day in run.days:
        by_window = {row["window_days"]: row for row in computed.rows if row["day"].date() == day}
        days[day] = _quality_metadata(by_window, run.settings)
    return DailyReport(days, computed.waiting, {"later_days_recomputed": computed.later_days})


def _quality_metadata(by_window: Mapping[int, CopyQualityRow], settings: Settings) -> dict[str, Any]:
    """Metadata of one day. An unknown number is left out, so that its plot has a hole instead of a zero."""
    day, month = by_window[1], by_window[30]
    return {
        "dagster/partition_row_count": len(by_window),
        **{name: value for name, value in day.items() if name in _PLOTTED and value is not None},
        **{f"{name}_30d": value for name, value in month.items() if name in _PLOTTED_30_DAYS and value is not None},
        "source": day["source"],
        "reasons": dg.MetadataValue.md(reasons_table(reasons_of(day), settings)),
    }
