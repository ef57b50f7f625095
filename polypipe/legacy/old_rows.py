"""Converts rows of the old database to rows of table `snapshots`. Pure.

Local times become instants, numbers are checked, and efficiency is computed again by our rule.
"""

import json
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, tzinfo
from typing import Any, TypeVar, cast

from polypipe.divergence.pnl_gap import PnlWindow, gap_from_pnl, guard
from polypipe.divergence.snapshot import snapshot_id
from polypipe.facts import Fact
from polypipe.legacy.database import COLUMNS
from polypipe.warehouse.rows import SnapshotRow

NULL_REASON = "null in the old database"
NO_RANK = "0 in the old database, which is not a rank"
_RANKS = ("user1_rank", "user2_rank")
_NOT_NEGATIVE = ("user1_value", "user1_volume", "user2_value", "user2_volume")

Row = TypeVar("Row")


def old_row(old: dict[str, Any], time: datetime) -> SnapshotRow:
    """The row of table `snapshots` for a row of the old database.

    Rank 0 becomes null. Raises `ValueError` naming the column whose value is not a number, or cannot be: a ratio of 0 or
    less, a negative value or volume.
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
    reasons |= {name: NO_RANK for name in _RANKS if numbers[name] == 0}
    numbers |= {name: numbers[name] or None for name in _RANKS}
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


def time_of(text: object) -> datetime:
    """An old timestamp: local time without a zone, or a time with its offset. Raises `ValueError` for other text."""
    if not isinstance(text, str):
        raise ValueError(f"timestamp: {text!r} is not a time")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"timestamp: {text!r:.60} is not a time") from None


def instants(rows: Iterable[tuple[Row, datetime]], zone: tzinfo) -> Iterator[tuple[Row, datetime | str]]:
    """Each row with its instant in UTC, or with the reason why it has none. Rows are in the order of their writing.

    Rows of the hour that repeats when clocks go back wait until time steps back in it: those before belong to the first
    pass, those after to the second. If it does not, the pass is unknown. A local time may also not exist at all.
    """
    waiting: list[tuple[Row, datetime]] = []
    second: date | None = None
    for row, time in rows:
        first, last = (time.replace(tzinfo=time.tzinfo or zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if time.tzinfo is None and first < last:  # it repeats
            if waiting and waiting[-1][1].date() == time.date() and time < waiting[-1][1]:
                yield from ((one, at.replace(tzinfo=zone).astimezone(UTC)) for one, at in waiting)
                waiting, second = [], time.date()
            if second == time.date():
                yield row, last
            else:
                waiting.append((row, time))
            continue
        yield from ((one, _twice(at)) for one, at in waiting)
        waiting, second = [], None
        missing = time.tzinfo is None and first.astimezone(zone).replace(tzinfo=None, fold=0) != time
        yield row, _never(time) if missing else first
    yield from ((one, _twice(at)) for one, at in waiting)


def _twice(time: datetime) -> str:
    told = "the order of the rows does not tell which it is"
    return f"timestamp: '{time.isoformat()}' exists twice in this time zone: clocks were set back, and {told}"


def _never(time: datetime) -> str:
    return f"timestamp: '{time.isoformat()}' does not exist in this time zone: clocks were set forward over it"


def _number(name: str, value: object) -> float | int | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name}: {value!r:.60} is not a number")
    if name in _RANKS:
        if value != int(value) or not 0 <= value < 2**31:
            raise ValueError(f"{name}: {value!r:.60} is not a rank")
        return int(value)
    if name == "scaling_ratio" and value <= 0:
        raise ValueError(f"{name}: {value!r:.60} is not above 0")
    if name in _NOT_NEGATIVE and value < 0:
        raise ValueError(f"{name}: {value!r:.60} is negative")
    return float(value)
