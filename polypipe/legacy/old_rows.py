"""Converts rows of the old database to rows of table `snapshots`. Pure.

Local times become instants, numbers are checked, and efficiency is computed again by our rule.
"""

import json
import math
from datetime import UTC, datetime, tzinfo
from typing import Any, cast

from polypipe.divergence.pnl_gap import PnlWindow, gap_from_pnl, guard
from polypipe.divergence.snapshot import snapshot_id
from polypipe.facts import Fact
from polypipe.legacy.database import COLUMNS
from polypipe.warehouse.rows import SnapshotRow

NULL_REASON = "null in the old database"
_INTEGERS = ("user1_rank", "user2_rank")


def old_row(old: dict[str, Any], time: datetime) -> SnapshotRow:
    """The row of table `snapshots` for a row of the old database.

    Raises `ValueError` naming the column whose value is not a number.
    """
    numbers = {name: _number(name, old[name]) for name in COLUMNS if name not in ("id", "timestamp")}

    def known(name: str) -> Fact[float]:
        value = numbers[name]
        return Fact.unknown(NULL_REASON) if value is None else Fact(value)

    old_efficiency = numbers.pop("pnl_efficiency")
    pnl_gap = gap_from_pnl(
        PnlWindow(None, None, 0, None),
        known("user1_pnl"),
        known("user2_pnl"),
        known("expected_pnl"),
        guard(known("user1_value")),
    )
    shares = {"pnl_efficiency": pnl_gap.efficiency, "loss_share": pnl_gap.loss_share}
    reasons = {name: NULL_REASON for name, value in numbers.items() if value is None}
    reasons |= {name: fact.reason for name, fact in shares.items() if fact.reason is not None}
    row = {
        **dict.fromkeys(SnapshotRow.__annotations__),
        "id": snapshot_id(time),
        "timestamp": time,
        **numbers,
        **{name: fact.value for name, fact in shares.items()},
        "reasons": json.dumps(reasons),
        "origin": "import",
        "old_id": old["id"],
        "old_pnl_efficiency": old_efficiency,
    }
    return cast(SnapshotRow, row)


def instant_of(text: object, zone: tzinfo, before: datetime | None) -> datetime:
    """The instant of an old timestamp, in UTC. `before` is the instant of the row before, or None.

    Of a local time that exists twice the first instant is taken, unless it is earlier than `before`. Raises `ValueError`
    for text that is not a time, or for a local time that does not exist.
    """
    if not isinstance(text, str):
        raise ValueError(f"timestamp: {text!r} is not a time")
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"timestamp: {text!r:.60} is not a time") from None
    if time.tzinfo is not None:
        return time.astimezone(UTC)
    instant = time.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None, fold=0) != time:
        raise ValueError(f"timestamp: {text!r} does not exist in this time zone: clocks were set forward over it")
    if before is not None and instant < before:
        return time.replace(tzinfo=zone, fold=1).astimezone(UTC)  # the same instant when the time exists once only
    return instant


def _number(name: str, value: object) -> float | int | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name}: {value!r:.60} is not a number")
    if name in _INTEGERS:
        if value != int(value) or abs(value) >= 2**31:
            raise ValueError(f"{name}: {value!r:.60} is not a rank")
        return int(value)
    return float(value)
