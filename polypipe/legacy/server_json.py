"""The JSON of the old tool's server: copier and whale are `user1_` and `user2_`, and other names and units differ. Pure.

`/api/latest` needs no translation: table `snapshots` has the old server's column names.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from polypipe.divergence.copy_rule import SIZE_BUCKETS
from polypipe.settings import Settings
from polypipe.warehouse.rows import PositionRow, PositionSummaryRow

Json = dict[str, Any]
Groups = Mapping[str, Json]
"""Figures of a comparison by status or by size, from JSON columns of table `position_summaries`."""

_STATUSES = {"overfilled": "over", "underfilled": "under", "on_target": "on_target", "missed": "missed"}


def wallets_json(settings: Settings) -> Json:
    """Labels and addresses of both wallets, whether the data is simulated, and why the ratio misleads for this bot."""
    return {
        "user1_label": settings.copier_label,
        "user2_label": settings.whale_label,
        "user1_address": settings.copier_address,
        "user2_address": settings.whale_address,
        "simulated": settings.simulated,
        "ratio_note": settings.bot_profile.sizing_note(settings.scaling_ratio),
    }


def snapshots_json(names: Sequence[str], points: Sequence[tuple[int, datetime, Sequence[float | None]]]) -> list[Json]:
    """Points as one object each; `id` is null where every number is."""
    return [
        {
            "id": id_ if any(value is not None for value in values) else None,
            "timestamp": timestamp,
            **dict(zip(names, values, strict=True)),
        }
        for id_, timestamp, values in points
    ]


def positions_json(
    summary: PositionSummaryRow | None, by_status: Groups, by_size: Groups, rows: Sequence[PositionRow], ratio: float
) -> Json:
    """The whole comparison. `rows` are the positions that are not resolved or netted."""
    return {
        "summary": None if summary is None else _summary(summary, rows, ratio),
        "comparisons": [_comparison(row, ratio) for row in rows if row["whale_size"]],
        "extra_positions": [_extra(row) for row in rows if not row["whale_size"]],
        "pnl_by_fill_status": {
            old: _group(by_status[status], ratio) for old, status in _STATUSES.items() if summary is not None
        },
        "size_bucket_analysis": [] if summary is None else _buckets(by_size, rows, ratio),
    }


def _summary(summary: PositionSummaryRow, rows: Sequence[PositionRow], ratio: float) -> Json:
    filled = summary["weighted_fill_rate"]
    same = (
        "below_minimum", "orphan", "manual", "resolved", "netted", "coverage", "excess_usd", "orphan_usd",
        "copier_win_rate", "whale_win_rate",
    )  # fmt: skip
    return {
        "whale_positions": summary["whale_positions"],
        "copier_positions": summary["copier_positions"],
        "matched_positions": sum(1 for row in rows if row["whale_size"] and row["copier_size"]),
        "missed_positions": summary["missed"],
        "extra_positions": sum(1 for row in rows if not row["whale_size"]),
        "avg_fill_rate": None if filled is None else filled / 100 * ratio,
        "expected_fill_rate": ratio,
        "fill_rate_efficiency": filled,
        "total_deviation_pnl": summary["cost_of_deviation"],
        "overfilled_count": summary["over"],
        "underfilled_count": summary["under"],
        "missed_count": summary["missed"],
        "on_target_count": summary["on_target"],
        **{name: value for name, value in summary.items() if name in same},
    }


def _comparison(row: PositionRow, ratio: float) -> Json:
    whale, copier, expected = row["whale_net"], row["copier_net"], row["expected_size"]
    fill_rate = copier / whale if whale else None
    return {
        "asset": row["token_id"],
        "title": row["title"],
        "slug": row["event_slug"],
        "outcome": row["outcome"],
        "icon": "",
        "endDate": row["end_date"],
        "whale": _side(row["whale_size"], row["whale_avg_price"], row["price"], row["whale_pnl"]),
        "copier": _side(row["copier_size"], row["copier_avg_price"], row["price"], row["copier_pnl"])
        if row["copier_size"]
        else None,
        "expected_size": expected,
        "actual_size": copier,
        "fill_rate": fill_rate,
        "expected_fill_rate": ratio,
        "fill_rate_deviation": None if fill_rate is None else fill_rate - ratio,
        "size_deviation": copier - expected,
        "size_deviation_pct": 100 * (copier - expected) / expected if expected else None,
        "deviation_pnl_impact": row["cost_of_deviation"],
        "has_position": row["copier_size"] > 0,
        "status": row["status"],
    }


def _side(size: float, paid: float | None, price: float | None, pnl: float | None) -> Json:
    value = None if price is None else size * price
    return {"size": size, "avgPrice": paid, "curPrice": price, "currentValue": value, "cashPnl": pnl}


def _extra(row: PositionRow) -> Json:
    return {
        "asset": row["token_id"],
        "title": row["title"],
        "slug": row["event_slug"],
        "outcome": row["outcome"],
        "icon": "",
        "size": row["copier_size"],
        "currentValue": row["actual_usd"],
        "cashPnl": row["copier_pnl"],
        "status": row["status"],
        "whale_out_since": row["whale_out_since"],
    }


def _group(group: Json, ratio: float) -> Json:
    whale = None if group["scaled_whale_pnl"] is None else group["scaled_whale_pnl"] / ratio
    number = group["rows"]
    average = whale / number if number and whale is not None else None
    return {"count": number, "whale_pnl": whale, "copier_pnl": group["copier_pnl"], "avg_whale_pnl": average}


def _buckets(by_size: Groups, rows: Sequence[PositionRow], ratio: float) -> list[Json]:
    made = []
    for label in SIZE_BUCKETS:
        inside = [row for row in rows if row["size_bucket"] == label]
        if not inside:
            continue
        whale, copier = sum(row["whale_net"] for row in inside), sum(row["copier_net"] for row in inside)
        pnls = [row["whale_pnl"] for row in inside]
        known = [pnl for pnl in pnls if pnl is not None]
        complete = len(known) == len(pnls)
        made.append(
            {
                "label": label,
                **_group(by_size[label], ratio),
                "total_whale_size": whale,
                "total_copier_size": copier,
                "avg_fill_rate": copier / whale if whale else None,
                "fill_rate_vs_target": 100 * copier / whale / ratio if whale else None,
                "whale_winners": sum(pnl > 0 for pnl in known) if complete else None,
                "whale_losers": sum(pnl < 0 for pnl in known) if complete else None,
                "whale_win_rate": by_size[label]["whale_win_rate"],
            }
        )
    return made
