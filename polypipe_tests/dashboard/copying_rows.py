"""Rows of the copy-quality tables: complete and consistent unless a test changes them."""

import json
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from polypipe.attribution.parts import PARTS
from polypipe.warehouse import Replace, Warehouse
from polypipe_tests.dashboard.support import COPIER, WHALE

DAY = timedelta(days=1)
PAIR = {"user1_address": COPIER, "user2_address": WHALE}
Row = dict[str, Any]


def replace_tables(warehouse: Warehouse, **tables: Sequence[Row]) -> None:
    """Replace tables and publish them together."""
    with warehouse.batch("replace") as batch:
        for table, rows in tables.items():
            batch.add(table, rows)
        batch.commit(dict.fromkeys(tables, Replace()))
    warehouse.merge()


def gap_day(day: datetime, whale_pnl: float | None = 100.0, notes: dict[str, Any] | None = None, **parts: float) -> Row:
    """A row of gap_attribution with these parts. Without `whale_pnl` its gap is unknown."""
    usd = dict.fromkeys(PARTS, 0.0) | {"unexplained": 0.0} | parts
    gap = sum(usd.values())
    row = {
        "day": day, **PAIR, "ratio": 0.08, "whale_pnl": whale_pnl, "copier_income": 0.5, "whale_income": 2.0, **usd,
        "coverage": 90.0, "expected_usd": 500.0, "uncopied_exit_usd": 0.0, "uncopied_exit_tokens": 0, "open_tokens": 3,
        "stale_tokens": 0, "fills_from": day, "notes": json.dumps(notes or {}), "reasons": "{}",
    }  # fmt: skip
    if whale_pnl is None:
        unknown: Row = dict.fromkeys(("copier_pnl", "whale_pnl", "expected_pnl", "gap", "unexplained"))
        return row | unknown | {"reasons": json.dumps({"gap": "the points end too early"})}
    expected = 0.08 * whale_pnl
    return row | {"expected_pnl": expected, "gap": gap, "copier_pnl": expected + gap}


def quality_row(day: datetime, window: int = 1, **changes: Any) -> Row:
    """A row of copy_quality_daily."""
    numbers = (
        "copier_pnl",
        "whale_pnl",
        "expected_pnl",
        "capture_up",
        "capture_down",
        "beta",
        "beta_low",
        "beta_high",
        "r2",
    )
    row: Row = dict.fromkeys(numbers, 1.0) | {
        "day": day, "window_days": window, **PAIR, "window_start": day,
        "window_end": day + timedelta(days=1), "gap": 2.0, "beta_to_ratio": None, "tracking_error": 3.0, "gap_t": 1.0,
        "hours_covered": 24, "fidelity": "hourly", "scaling_ratio": 0.08, "ratio_source": "setting", "capital": None,
        "recorded_days": 0, "source": "reconstructed, hourly", "reasons": json.dumps({"beta_to_ratio": "too few hours"}),
    }  # fmt: skip
    return row | changes


def metrics_row(day: datetime, window: int = 1, **changes: Any) -> Row:
    """A row of copy_metrics_daily."""
    row: Row = {
        "day": day, "window_days": window, **PAIR, "days_known": window, "whale_fills": 6, "eligible_fills": 5,
        "copied_fills": 4, "ambiguous_fills": 0, "own_fills": 1, "copy_rate": 80.0, "copy_rate_low": 37.6,
        "copy_rate_high": 96.4, "copy_rate_usd": 85.0, "fill_ratio": 75.0, "first_fill_ratio": 60.0, "slippage_cents": 1.5,
        "slippage_cents_low": -0.2, "slippage_cents_high": 3.2, "slippage_p50": 1.0, "slippage_p95": 3.0,
        "slippage_usd": 2.25, "slippage_bps": 300.0, "latency_p50": 4.0, "latency_p95": 9.0, "latency_p99": 11.0,
        "shortfall_usd": 3.5, "shortfall_bps": 400.0, "unmarked_usd": 0.0, "realised_ratio": 0.08, "realised_pairs": 40,
        "ratio": 0.08, "copier_fee_cents": 1.2, "whale_fee_cents": 0.4, "whale_maker_share": 62.5, "break_even_cents": 2.7,
        "break_even_percent": 5.4, "pnl_fee_share": 0.98, "pnl_fee_share_low": 0.7, "pnl_fee_share_high": 1.2,
        "pnl_fee_days": 41, "ambiguous_share": 25.0, "late_fills": 1, "joined_fills": 2, "copy_rate_sure": 60.0,
        "copy_rate_usd_sure": 70.0, "fill_ratio_sure": 80.0, "slippage_cents_sure": 1.0, "slippage_usd_sure": 2.0,
        "latency_p50_sure": 3.0, "latency_p95_sure": 8.0, "funnel": "{}", "reasons": "{}",
        "delay_usd": 1.2, "impact_usd": 0.45, "split_share": 80.0,
        "delay_cents": 1.0, "delay_cents_low": 0.4, "delay_cents_high": 1.6, "impact_cents": 0.4,
        "impact_cents_low": -0.1, "impact_cents_high": 0.9, "half_latency_usd": 0.75, "half_latency_usd_low": 0.2,
        "half_latency_usd_high": 1.3, "edge_cents": 3.5, "edge_cents_low": 0.5, "edge_cents_high": 6.5, "size_slope": 1.1,
        "size_slope_low": 0.4, "size_slope_high": 1.8, "marginal_ratio": 0.12, "marginal_ratio_low": 0.06,
        "marginal_ratio_high": 0.18, "markouts": json.dumps([markout_row(5), markout_row(600, cents=2.5, known_fills=4)]),
    }  # fmt: skip
    return row | changes


def markout_row(seconds: int, **changes: Any) -> Row:
    """An object of column markouts."""
    row: Row = {"seconds": seconds, "fills": 5, "known_fills": 0, "events": 0}
    return row | dict.fromkeys(("cents", "cents_low", "cents_high")) | changes


def unknown_metrics(day: datetime, window: int, why: str) -> Row:
    """A row of copy_metrics_daily whose fills are unknown."""
    row = metrics_row(day, window)
    unknown = dict.fromkeys(name for name, value in row.items() if isinstance(value, float))
    unknown |= dict.fromkeys(name for name in row if name.endswith(("_fills", "_pairs")))
    return row | unknown | {"reasons": json.dumps(dict.fromkeys(unknown, why))}


def copy_fill(time: datetime, number: int = 0, **changes: Any) -> Row:
    """A whale fill of 100 shares at 50 cents, copied in full 4 s later at a price one cent worse."""
    row: Row = {
        "key": f"{time.timestamp()}-{number}", "timestamp": time, **PAIR, "status": "copied", "token_id": "T",
        "side": "BUY", "whale_shares": 100.0, "whale_price": 0.5, "whale_fee": 0.0, "ratio": 0.08, "eligible": True,
        "expected_shares": 8.0, "copier_shares": 8.0, "copier_price": 0.51, "copier_fee": 0.0, "copier_fills": 1,
        "order_sent": True, "copied_at": time, "completed_at": time, "latency": 4.0, "slippage_cents": 1.0,
        "slippage_usd": 0.08, "slippage_bps": 200.0, "fill_ratio": 1.0, "ambiguous": False, "sport": "tennis",
        "league": "atp", "market_type": "moneyline", "price_bucket": "0.40-0.60", "size_bucket": "100-500",
        "title": "Who wins?", "event_slug": "e", "outcome": "Yes",
    }  # fmt: skip
    return row | changes


def not_copied(time: datetime, number: int, reason: str, **changes: Any) -> Row:
    """A whale fill that was not copied."""
    nothing: Row = dict.fromkeys(("copier_price", "latency", "slippage_cents", "slippage_usd", "slippage_bps", "copied_at"))
    missed = {"status": "missed", "reason": reason, "copier_shares": 0.0, "copier_fills": 0, "order_sent": False}
    return copy_fill(time, number) | nothing | missed | changes


def known_activity(days: Sequence[datetime]) -> dict[str, list[Row]]:
    """Tables with days of complete activity, on each of which the price of token T rises from 0.50 to 0.60."""
    read = [{"wallet": who, "day": day, "activities": 1, "read_at": day} for day in days for who in (COPIER, WHALE)]
    trades = [
        {
            "key": f"{day}{price}", "day": day.date(), "wallet": WHALE, "timestamp": day + timedelta(hours=hour),
            "type": "TRADE", "asset": "T", "side": "BUY", "size": 1.0, "usdc_size": price, "price": price,
            "transaction_hash": "0x1", "title": "", "slug": "", "event_slug": "e", "outcome": "Yes", "occurrence": 0,
        }
        for day in days
        for hour, price in ((0, 0.50), (23, 0.60))
    ]  # fmt: skip
    return {"activity_days": read, "wallet_activity": trades}


def class_row(day: datetime, dimension: str, value: str, window: int = 1, **changes: Any) -> Row:
    """A row of copy_breakdowns."""
    row: Row = {
        "day": day, "window_days": window, **PAIR, "dimension": dimension, "value": value, "eligible_fills": 5,
        "copied_fills": 4, "copy_rate": 80.0, "copy_rate_low": 37.6, "copy_rate_high": 96.4, "fill_ratio": 75.0,
        "latency_p50": 4.0, "slippage_usd": 2.25, "slippage_cents": 1.5, "slippage_cents_low": -0.2,
        "slippage_cents_high": 3.2, "events": 4, "ambiguous_fills": 1, "verdict": "not distinguishable from zero",
    }  # fmt: skip
    return row | changes


def exit_row(day: datetime, token: str, usd: float, **changes: Any) -> Row:
    """A row of uncopied_exits."""
    row = {
        "day": day, **PAIR, "token_id": token, "shares": usd / 0.25, "price": 0.25, "usd": usd,
        "since": day - timedelta(hours=6), "age_hours": 30.0, "price_age_hours": 0.5, "title": f"Market {token}",
        "event_slug": f"event-{token}", "outcome": "Yes",
    }  # fmt: skip
    return row | changes


def log_line(time: datetime, number: int = 0, **changes: Any) -> Row:
    """A line of the bot's log."""
    row: Row = {
        "log_id": "l", "byte_offset": number, "day": time.replace(hour=0, minute=0, second=0, microsecond=0),
        "logged_at": time, "token_id": "T", "side": "BUY", "whale_usd": 50.0, "whale_shares": 100.0, "outcome": "SENT",
        "is_live": False, "raw": "a line",
    }  # fmt: skip
    return row | changes


def put_copying(
    warehouse: Warehouse, days: Sequence[datetime], title: str = "Who wins?", raw: str = "a strange line"
) -> None:
    """Store everything the section shows for these midnights, newest first. The fourth day's gap is unknown.

    Days before the newest eight have no rows in tables with a file a day.
    """
    rng = random.Random(7)
    gaps, metrics, fills, classes, exits = [], [], [], [], []
    for n, day in enumerate(days):
        parts = {name: round(rng.uniform(-9, 9), 4) for name in (*PARTS, "unexplained")}
        gaps.append(gap_day(day, None if n == 3 else round(rng.uniform(-900, 900), 2), {"old prices": None}, **parts))
        metrics += [metrics_row(day, window) for window in (1, 7, 30)]
        if n >= 8:
            continue
        times = [day + timedelta(hours=hour) for hour in range(6)]
        fills += [copy_fill(time, slippage_cents=float(k - 1), latency=3.0 * k) for k, time in enumerate(times[:4])]
        fills += [not_copied(times[4], 4, "breaker"), not_copied(times[5], 5, "small", eligible=False)]
        for window in (1, 7, 30):
            classes += [class_row(day, "price", value, window) for value in ("0.05-0.20", "0.20-0.40")]
            classes += [class_row(day, "sport", "tennis", window, verdict="costs", slippage_cents_low=0.1)]
        exits += [exit_row(day, "1", 12.5, title=title, outcome=title, event_slug=title), exit_row(day, "2", 50.0)]
        gaps[-1] |= {"uncopied_exit_usd": 62.5, "uncopied_exit_tokens": 2}
    tables = {
        "gap_attribution": gaps, "copy_metrics_daily": metrics, "copy_fills": fills, "copy_breakdowns": classes,
        "uncopied_exits": exits, "token_first_seen": [{"token_id": "old", "first_seen": min(days)}],
    }  # fmt: skip
    last = max(days) + timedelta(hours=20)
    lines = [log_line(last), log_line(last, 1, outcome="UNKNOWN", raw=raw)]
    replace_tables(warehouse, trade_log=lines, **tables)
