"""A snapshot: the row of table `snapshots` from the sources' answers, and its storage."""

# ruff: noqa: S608 -- values are written as literals

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from polypipe.clock import Clock, utc_now
from polypipe.divergence.pnl_gap import PnlGap, Series, measure_gap
from polypipe.divergence.sources import Fetched, answered_at, fetch
from polypipe.facts import Fact
from polypipe.orchestration.resources import Polymarket
from polypipe.wallets import Wallets
from polypipe.warehouse import Upsert, Warehouse, WarehouseError
from polypipe.warehouse.pair import of_pair
from polypipe.warehouse.rows import SnapshotRow

log = logging.getLogger(__name__)

STORE_WAIT_SECONDS = 2.0
"""How long a snapshot waits for the warehouse. After that its row stays in the spool, and the next writer merges it."""


@dataclass(frozen=True)
class Snapshot:
    """A stored snapshot. `no_answer`: no source of either wallet answered.

    `waiting` says why its row is still in the spool; None when it is merged.
    """

    row: SnapshotRow
    pnl_gap: PnlGap
    no_answer: bool
    waiting: str | None

    @property
    def reasons(self) -> dict[str, str]:
        """Column -> why it is null."""
        reasons: dict[str, str] = json.loads(self.row["reasons"])
        return reasons


def take_snapshot(polymarket: Polymarket, warehouse: Warehouse, wallets: Wallets, clock: Clock = utc_now) -> Snapshot:
    """Ask all sources and store the row, whether they answered or not. Only bugs and a full disk raise."""
    fetched = polymarket.run(lambda http: fetch(http, wallets.copier, wallets.whale, clock))
    before = {}
    if any(fact.value is None for fact in fetched.facts().values()):
        try:
            before = last_answers(warehouse, wallets)
        except WarehouseError as error:  # costs the ages, not the snapshot
            log.warning("the last answers of the sources cannot be read: %s", error)
    pnl_gap = measure_gap(fetched.copier.pnl, fetched.whale.pnl, fetched.copier.value, wallets.ratio, fetched.time)
    row = snapshot_row(fetched, pnl_gap, wallets, before)
    with warehouse.batch("snapshot") as batch:
        batch.add("snapshots", [row])
        batch_id = batch.commit({"snapshots": Upsert(("id",))})
    return Snapshot(row, pnl_gap, fetched.no_answer, warehouse.store(batch_id, wait=STORE_WAIT_SECONDS))


def snapshot_row(fetched: Fetched, pnl_gap: PnlGap, wallets: Wallets, before: Mapping[str, datetime]) -> SnapshotRow:
    """The row. `before` is when each source last answered before this snapshot."""
    copier, whale, window = fetched.copier, fetched.whale, pnl_gap.window
    facts: dict[str, Fact[float] | Fact[int]] = {
        "user1_value": copier.value,
        "user1_pnl": pnl_gap.copier_pnl,
        "user1_volume": copier.volume,
        "user1_rank": copier.rank,
        "user2_value": whale.value,
        "user2_pnl": pnl_gap.whale_pnl,
        "user2_volume": whale.volume,
        "user2_rank": whale.rank,
        "expected_pnl": pnl_gap.expected,
        "pnl_vs_expected": pnl_gap.gap,
        "pnl_efficiency": pnl_gap.efficiency,
        "loss_share": pnl_gap.loss_share,
    }
    times = answered_at(fetched, before)
    sources: dict[str, dict[str, Any]] = {
        name: {"ok": fact.value is not None, "age": _seconds(fetched.time, times.get(name))}
        for name, fact in fetched.facts().items()
    }
    for name, source in sources.items():
        if announced := fetched.announced.get(name.partition("_")[2]):
            source["announced"] = announced
    row = {
        "id": snapshot_id(fetched.time),
        "timestamp": fetched.time,
        **{name: fact.value for name, fact in facts.items()},
        "scaling_ratio": wallets.ratio,
        "window_start": window.start,
        "window_end": window.end,
        "hours_covered": window.hours if window.points else None,
        "user1_pnl_age": _seconds(fetched.time, _newest(copier.pnl)),
        "user2_pnl_age": _seconds(fetched.time, _newest(whale.pnl)),
        "user1_address": wallets.copier,
        "user2_address": wallets.whale,
        "sources": json.dumps(sources),
        "reasons": json.dumps({name: fact.reason for name, fact in facts.items() if fact.value is None}),
        "origin": "polypipe",
        "old_id": None,
        "old_pnl_efficiency": None,
    }
    return cast(SnapshotRow, row)


def snapshot_id(time: datetime) -> int:
    """Milliseconds since the epoch: grows with time, and fits the INTEGER PRIMARY KEY of the old database."""
    return (time - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def last_answers(warehouse: Warehouse, wallets: Wallets) -> dict[str, datetime]:
    """When each source of this pair last gave a usable answer, according to the newest snapshot."""
    with warehouse.read() as con:
        row = con.execute(
            "SELECT timestamp, sources FROM snapshots WHERE origin = 'polypipe' "
            f"AND {of_pair(wallets)} "
            "ORDER BY timestamp DESC LIMIT 1"
        ).fetchone()
    if row is None:
        return {}
    time, sources = row[0].astimezone(UTC), json.loads(row[1])
    return {name: time - timedelta(seconds=source["age"]) for name, source in sources.items() if source["age"] is not None}


def _newest(series: Fact[Series]) -> datetime | None:
    return max(series.value, default=None) if series.value is not None else None


def _seconds(now: datetime, then: datetime | None) -> float | None:
    return None if then is None else (now - then).total_seconds()
