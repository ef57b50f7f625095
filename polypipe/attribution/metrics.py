"""How well fills were copied, by day and window, in tables `copy_metrics_daily` and `copy_breakdowns`.

Counts, rates and percentiles are in `sql/metrics.sql`, the classes in `sql/classes.sql`; intervals and the
implementation shortfall, which needs marks, are here.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from polypipe.attribution.ambiguity import NONE, OF_MATCHES, SURE, ambiguous_share, is_ranged, why_unknown
from polypipe.attribution.breakdowns import class_rows
from polypipe.attribution.cost_metrics import COST_NUMBERS, COSTS_OF_MATCHES, costs_by_window
from polypipe.attribution.days import DAY, LOOK_BACK, days_of
from polypipe.attribution.fee_metrics import FEE_NUMBERS, OF_PNL, fee_numbers, fees_of_copies
from polypipe.attribution.labels import ORDER_BOUNDS, ORDER_BUCKETS
from polypipe.attribution.marks import Marks
from polypipe.attribution.pnl_fees import FeeShare, measure_by_day
from polypipe.attribution.ratio_pairs import RatioPairs
from polypipe.attribution.realised_ratio import LEAST_RATIO_PAIRS
from polypipe.attribution.shortfall import Shortfall, shortfall_by_window
from polypipe.attribution.stored_marks import read_marks
from polypipe.bot_profile import TELLING
from polypipe.divergence.pnl_gap import MIN_COVERED
from polypipe.history.windows import WINDOWS, later_days, set_windows
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse, Window
from polypipe.warehouse.connection import fetch_rows, literal
from polypipe.warehouse.pair import pair_columns
from polypipe.warehouse.rows import CopyBreakdownRow, CopyMetricsRow

if TYPE_CHECKING:
    import duckdb

SQL = Path(__file__).parent / "sql"

AT_ONCE = 10
"""Days that are computed together: each fill is in 38 windows."""


_COUNTS = (
    "whale_fills", "eligible_fills", "copied_fills", "ambiguous_fills", "late_fills", "joined_fills", "own_fills",
    "realised_pairs",
)  # fmt: skip
_NUMBERS = (
    "copy_rate", "copy_rate_low", "copy_rate_high", "copy_rate_usd", "fill_ratio", "first_fill_ratio", "slippage_cents",
    "slippage_cents_low", "slippage_cents_high", "slippage_p50", "slippage_p95", "slippage_usd", "slippage_bps",
    "latency_p50", "latency_p95", "latency_p99", "shortfall_usd", "shortfall_bps", "unmarked_usd", "realised_ratio",
    "ratio", "ambiguous_share", *SURE, *FEE_NUMBERS, *COST_NUMBERS,
)  # fmt: skip
_OF_COPIES = tuple(name for name in _NUMBERS if name.startswith(("slippage", "latency", "fill_ratio", "ambiguous")))


@dataclass(frozen=True)
class ComputedMetrics:
    """The rows of the requested days. `later_days` counts later days that were recomputed too, because their windows
    reach back into these. `waiting` says why the rows are still in the spool; None when they are merged."""

    rows: list[CopyMetricsRow]
    breakdowns: list[CopyBreakdownRow]
    later_days: int
    waiting: str | None


def compute_metrics(warehouse: Warehouse, wallets: Wallets, start: datetime, end: datetime) -> ComputedMetrics:
    """Compute and store the UTC days of [start, end), and later stored days.

    Those are days whose windows reach into these, and whose fills close positions opened in these.
    """
    with warehouse.read() as con:
        later = later_days(con, "copy_metrics_daily", wallets, end, LOOK_BACK)
        rows: list[CopyMetricsRow] = []
        breakdowns: list[CopyBreakdownRow] = []
        days = [*days_of(start, end), *later]
        for n in range(0, len(days), AT_ONCE):
            some = metric_rows(con, wallets, days[n : n + AT_ONCE])
            rows += some[0]
            breakdowns += some[1]
    last = max([end, *(day + DAY for day in later)])
    equals = pair_columns(wallets)
    with warehouse.batch("copy_metrics") as batch:
        batch.add("copy_metrics_daily", rows)
        batch.add("copy_breakdowns", breakdowns)
        batch_id = batch.commit(
            {
                "copy_metrics_daily": Window("day", start, last, equals),
                "copy_breakdowns": Window("day", start, last, equals),
            }
        )
    inside = [row for row in rows if row["day"] < end]
    return ComputedMetrics(inside, [row for row in breakdowns if row["day"] < end], len(later), warehouse.store(batch_id))


def metric_rows(
    con: "duckdb.DuckDBPyConnection",
    wallets: Wallets,
    days: Sequence[datetime],
    windows: Sequence[int] = WINDOWS,
) -> tuple[list[CopyMetricsRow], list[CopyBreakdownRow]]:
    """Rows of copy_metrics_daily and copy_breakdowns for each of `days` and each length of a window that ends with it."""
    _set_variables(con, wallets, days, windows)
    marks = _marks(con, wallets, days, windows)
    missed = shortfall_by_window(con, wallets, days, windows, marks)
    costs = costs_by_window(con, wallets, days, windows, marks)
    classes = class_rows(_rows(con, "classes.sql"))
    fees = {(sums["day"], sums["window_days"]): sums for sums in _rows(con, "fees.sql")}
    in_pnl = measure_by_day(con, wallets, days)
    pairs = RatioPairs(con.execute((SQL / "ratio_pairs.sql").read_text("utf-8")).fetchall())
    known: set[tuple[datetime, int]] = set()
    rows = []
    for numbers in _rows(con, "metrics.sql"):
        key = numbers["day"], numbers["window_days"]
        if numbers["days_known"] >= MIN_COVERED * numbers["window_days"]:
            known.add(key)
        whole = classes.get(key, {}).get(("all", "all"))
        numbers |= pairs.measured(*key, numbers["ratio"])
        rows.append(_metric_row(numbers, whole, missed[key], fees[key], in_pnl[key[0]], costs[key], key in known))
    addresses = pair_columns(wallets)
    breakdowns = [
        {"day": day, "window_days": window, "dimension": dimension, "value": value}
        | {name: number for name, number in row.items() if name != "reasons"}
        for (day, window), found in classes.items()
        for (dimension, value), row in found.items()
        if dimension != "all" and (day, window) in known
    ]
    return (
        [cast(CopyMetricsRow, row | addresses) for row in rows],
        [cast(CopyBreakdownRow, row | addresses) for row in breakdowns],
    )


def read_realised_ratio(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, day: datetime, window: int, ratio: float
) -> dict[str, Any]:
    """`realised_ratio` and `realised_pairs` of the window that ends with `day`, over the pairs at `ratio`."""
    _set_variables(con, wallets, [day], [window])
    pairs = con.execute((SQL / "ratio_pairs.sql").read_text("utf-8")).fetchall()
    return RatioPairs(pairs).measured(day, window, ratio)


def _set_variables(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, days: Sequence[datetime], windows: Sequence[int]
) -> None:
    """Set the variables of the SQL files."""
    variables = {
        "copier": literal(wallets.copier),
        "whale": literal(wallets.whale),
        "floor": literal(wallets.bot.floor_shares),
        "tier": literal(wallets.bot.lowest_tier),
        "telling": literal(TELLING),
        "minimum_usd": literal(wallets.bot.minimum_usd),
        "bounds": str(list(ORDER_BOUNDS)),
        "buckets": str(list(ORDER_BUCKETS)),
        "minimum_shares": literal(wallets.bot.minimum_shares),
    }
    set_windows(con, days, windows, variables)


def _metric_row(
    numbers: dict[str, Any],
    whole: dict[str, Any] | None,
    missed: Shortfall,
    fees: dict[str, Any],
    in_pnl: FeeShare,
    costs: tuple[dict[str, Any], dict[str, str]],
    known: bool,
) -> dict[str, Any]:
    """One row of copy_metrics_daily. `whole` is the class of all eligible fills, `fees` their row of `fees.sql`."""
    row: dict[str, Any] = {name: numbers[name] for name in (*_COUNTS, *_NUMBERS) if name in numbers}
    paper = numbers["paper_usd"]
    row |= {name: numbers[name] or 0 for name in _COUNTS}
    for name in (
        "copy_rate",
        "copy_rate_low",
        "copy_rate_high",
        "slippage_cents",
        "slippage_cents_low",
        "slippage_cents_high",
    ):
        row[name] = whole[name] if whole else None
    row["ambiguous_share"] = ambiguous_share(numbers["ambiguous_copies"] or 0, row["copied_fills"])
    paid = fees_of_copies(fees)
    if row["eligible_fills"] and paid is not None:
        row["shortfall_usd"] = (row["slippage_usd"] or 0.0) + missed.usd + paid
    row["unmarked_usd"] = missed.unmarked if row["eligible_fills"] else None
    row["shortfall_bps"] = 1e4 * row["shortfall_usd"] / paper if paper and row.get("shortfall_usd") is not None else None
    no_copy = "nothing was copied" if row["eligible_fills"] else "the whale has no eligible fill in the window"
    reasons = dict.fromkeys(_NUMBERS, "the whale has no eligible fill in the window")
    reasons |= dict.fromkeys(_OF_COPIES, no_copy) | {
        "first_fill_ratio": "the bot's log has none of these fills",
        "realised_ratio": f"{row['realised_pairs']} unambiguous pairs, {LEAST_RATIO_PAIRS} are needed"
        if row["realised_pairs"] < LEAST_RATIO_PAIRS
        else f"no ratio explains the sizes of enough of {row['realised_pairs']} pairs",
        "ratio": "no fills in the window",
    }
    reasons |= {name: why for name, why in (whole["reasons"] if whole else {}).items() if why is not None}
    row |= costs[0]
    reasons |= costs[1] if row["eligible_fills"] else dict.fromkeys(COST_NUMBERS, no_copy)
    if not is_ranged(row["ambiguous_share"]):
        row |= dict.fromkeys(SURE)
        reasons |= dict.fromkeys(SURE, no_copy if row["ambiguous_share"] is None else NONE)
    if (why := why_unknown(numbers["ambiguous_copies"] or 0, row["copied_fills"])) is not None:
        of_matches = [name for name in _NUMBERS if name.startswith((*OF_MATCHES, *COSTS_OF_MATCHES))]
        row |= dict.fromkeys(of_matches)
        reasons |= dict.fromkeys(of_matches, why)
    of_fees, why_no_fees = fee_numbers(fees, row["slippage_cents"], in_pnl)
    row |= of_fees
    reasons |= why_no_fees
    if row["eligible_fills"] and paid is None:
        reasons |= dict.fromkeys(("shortfall_usd", "shortfall_bps"), reasons["copier_fee_cents"])
    funnel, markouts = numbers["funnel"], row["markouts"]
    if not known:
        text = f"activity is known and matched on {numbers['days_known']} of {numbers['window_days']} days"
        row, funnel = {name: row[name] for name in OF_PNL}, "{}"
        markouts = "[]"
        reasons = dict.fromkeys((*_COUNTS, *_NUMBERS), text) | {name: reasons[name] for name in OF_PNL}
    return {
        "day": numbers["day"],
        "window_days": numbers["window_days"],
        "days_known": numbers["days_known"],
        **{name: row.get(name) for name in (*_COUNTS, *_NUMBERS)},
        "funnel": funnel,
        "markouts": markouts,
        "reasons": json.dumps({name: why for name, why in reasons.items() if row.get(name) is None}),
    }


def _marks(con: "duckdb.DuckDBPyConnection", wallets: Wallets, days: Sequence[datetime], windows: Sequence[int]) -> Marks:
    """Marks of everything that the windows need. Results of markets become known later."""
    if not days:
        return Marks({})
    first = min(days) - max(windows) * DAY
    return read_marks(con, wallets, first - LOOK_BACK, max(days) + DAY + LOOK_BACK, minutes_from=first)


def _rows(con: "duckdb.DuckDBPyConnection", file: str) -> list[dict[str, Any]]:
    rows = fetch_rows(con.execute((SQL / file).read_text("utf-8")), dict[str, Any])
    for row in rows:
        row["day"] = row["day"].astimezone(UTC)
    return rows
