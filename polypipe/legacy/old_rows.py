"""One row of the old database as a row of table `snapshots`: local times become instants, numbers are checked. Pure."""

import json
import math
from datetime import UTC, datetime, tzinfo
from typing import Any

from polypipe.divergence.pnl_gap import PnlWindow, gap_from_pnl, guard
from polypipe.divergence.snapshot import Row, snapshot_id
from polypipe.facts import Fact
from polypipe.legacy.database import COLUMNS

_WHOLE = ("user1_rank", "user2_rank")


def old_row(old: dict[str, Any], time: datetime) -> Row:
    """The row of table `snapshots` for one of the old database, efficiency judged by our rule.

    Raises `ValueError` naming the column whose value is not a number.
    """
    numbers = {name: _number(name, old[name]) for name in COLUMNS if name not in ("id", "timestamp")}

    def known(name: str) -> Fact[float]:
        value = numbers[name]
        return Fact.unknown("it is null in the old database") if value is None else Fact(value)

    ratio = numbers.pop("pnl_efficiency")
    judged = gap_from_pnl(
        PnlWindow(None, None, 0, None),
        known("user1_pnl"),
        known("user2_pnl"),
        known("expected_pnl"),
        guard(known("user1_value")),
    )
    numbers |= {"pnl_efficiency": judged.efficiency.value, "loss_share": judged.loss_share.value}
    reasons = {name: "it is null in the old database" for name, value in numbers.items() if value is None}
    judgements = {"pnl_efficiency": judged.efficiency, "loss_share": judged.loss_share}
    reasons |= {name: fact.reason for name, fact in judgements.items() if fact.reason is not None}
    return {
        "id": snapshot_id(time),
        "timestamp": time,
        **numbers,
        "reasons": json.dumps(reasons),
        "origin": "import",
        "old_id": old["id"],
        "old_pnl_efficiency": ratio,
    }


def instant_of(text: object, zone: tzinfo, before: datetime | None) -> datetime:
    """The instant in UTC. `before` is that of the row before: it decides about a time that exists twice."""
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
    if name in _WHOLE:
        if value != int(value) or abs(value) >= 2**31:
            raise ValueError(f"{name}: {value!r:.60} is not a rank")
        return int(value)
    return float(value)
