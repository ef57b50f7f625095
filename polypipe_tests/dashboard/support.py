"""Rows for the dashboard's tests and benchmark: snapshots, publications, positions, as polypipe stores them."""

import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from polypipe.caches.registry import CACHES
from polypipe.divergence.pnl_gap import PnlGap, PnlWindow, expected_pnl, gap_from_pnl, guard
from polypipe.divergence.position_comparison import compare_positions, copier_only
from polypipe.divergence.position_history import WhaleHistory
from polypipe.divergence.position_refresh import summary_row
from polypipe.divergence.position_summary import summarize_positions
from polypipe.divergence.snapshot import snapshot_id
from polypipe.facts import Fact
from polypipe.polymarket import Position
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.wallets import Wallets
from polypipe.warehouse import Append, Replace, Upsert, Warehouse

COPIER, WHALE = COPIER_ADDRESS, WHALE_ADDRESS
SOURCES = tuple(f"user{n}_{source}" for n in (1, 2) for source in ("value", "pnl", "standing"))
PHASE_HOURS = 204  # end of the waves of `wandering`: the whale gains in the last 12 hours, after losses and gains


def snapshot(
    time: datetime,
    copier_pnl: float | str = 24.0,
    whale_pnl: float | str = 300.0,
    copier_value: float | str = 500.0,
    whale_value: float | str = 6250.0,
    ratio: float = 0.08,
    **changes: Any,
) -> dict[str, Any]:
    """A row as `take_snapshot` stores it. A number given as text is unknown with that reason."""
    copier, whale = _fact(copier_pnl), _fact(whale_pnl)
    comparison: PnlGap = gap_from_pnl(
        PnlWindow(time - timedelta(hours=24), time, 25, None),
        copier,
        whale,
        expected_pnl(ratio, whale),
        guard(_fact(copier_value)),
    )
    facts: dict[str, Fact[Any]] = {
        "user1_value": _fact(copier_value),
        "user1_pnl": copier,
        "user1_volume": Fact(1000.0),
        "user1_rank": Fact(1500),
        "user2_value": _fact(whale_value),
        "user2_pnl": whale,
        "user2_volume": Fact(90_000.0),
        "user2_rank": Fact(5),
        "expected_pnl": comparison.expected,
        "pnl_vs_expected": comparison.gap,
        "pnl_efficiency": comparison.efficiency,
        "loss_share": comparison.loss_share,
    }
    ok: dict[str, tuple[Fact[Any], Fact[Any]]] = {
        "pnl": (copier, whale),
        "value": (facts["user1_value"], facts["user2_value"]),
        "standing": (Fact(1), Fact(1)),
    }
    row = {
        "id": snapshot_id(time),
        "timestamp": time,
        **{name: fact.value for name, fact in facts.items()},
        "scaling_ratio": ratio,
        "window_start": time - timedelta(hours=24),
        "window_end": time,
        "hours_covered": 24.0,
        "user1_pnl_age": 600.0,
        "user2_pnl_age": 600.0,
        "user1_address": COPIER,
        "user2_address": WHALE,
        "sources": json.dumps(
            {name: _source(ok[name.partition("_")[2]][int(name[4]) - 1].value is not None) for name in SOURCES}
        ),
        "reasons": json.dumps({name: fact.reason for name, fact in facts.items() if fact.value is None}),
        "origin": "polypipe",
    }
    unknown = set(changes) - set(row)
    assert not unknown, unknown
    return row | changes


def outage(time: datetime, age: float = 600.0, why: str = "GET /value: HTTP 503 after 4 tries") -> dict[str, Any]:
    """A row of an outage: no source answered."""
    row = snapshot(time, why, why, why, why)
    row |= dict.fromkeys(("user1_rank", "user2_rank", "user1_volume", "user2_volume", "window_start"))
    row |= {"window_end": None, "hours_covered": None, "user1_pnl_age": None, "user2_pnl_age": None}
    row["sources"] = json.dumps({name: {"ok": False, "age": age} for name in SOURCES})
    names = [name for name, value in row.items() if value is None]
    row["reasons"] = json.dumps({name: why for name in names if name.startswith(("user", "expected", "pnl", "loss"))})
    return row


def wandering(end: datetime, count: int, step: timedelta = timedelta(minutes=1), seed: int = 4) -> Iterator[dict[str, Any]]:
    """`count` snapshots up to `end` whose numbers move like real ones, with gains and losses."""
    rng = random.Random(seed)
    drift = 0.0
    for number in range(count):
        time = end - (count - 1 - number) * step
        hours = PHASE_HOURS + (time - end) / timedelta(hours=1)  # counted from the end, so that every run is alike
        whale = 900 * math.sin(hours / 9.7) + 500 * math.sin(hours / 31) + rng.gauss(0, 14)
        drift = 0.998 * drift + rng.gauss(0, 0.9)
        copier = 0.08 * whale * 0.93 - 6 + drift
        yield snapshot(time, round(copier, 4), round(whale, 4), round(520 + copier, 2), round(6200 + whale, 2))


def put_snapshots(warehouse: Warehouse, rows: Sequence[dict[str, Any]] | Iterator[dict[str, Any]]) -> None:
    """Store the rows and publish."""
    with warehouse.batch("snapshot") as batch:
        batch.add("snapshots", rows)
        batch.commit({"snapshots": Upsert(("id",))})
    warehouse.merge()


def publication(file: str, time: datetime, **changes: Any) -> dict[str, Any]:
    """An accepted attempt."""
    row = {
        "publication_id": f"{file}-{time.timestamp()}",
        "file": file,
        "time": time,
        "observed_at": time - timedelta(seconds=20),
        "crawl_id": "c1",
        "entries": 5120,
        "bytes": 430_000,
        "sha256": "0" * 64,
        "added": 14,
        "removed": 3,
        "changed": 2,
        "accepted": True,
        "rewritten": True,
        "reason": "",
    }
    return row | changes


def put_publications(warehouse: Warehouse, rows: Sequence[dict[str, Any]]) -> None:
    """Store the rows and publish."""
    with warehouse.batch("publication") as batch:
        batch.add("publications", rows)
        batch.commit({"publications": Append()})
    warehouse.merge()


def all_files(time: datetime, **changes: Any) -> list[dict[str, Any]]:
    """One accepted publication of each file."""
    return [publication(spec.file, time, **changes) for spec in CACHES]


def replace_table(warehouse: Warehouse, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Replace a table and publish."""
    with warehouse.batch("replace") as batch:
        batch.add(table, rows)
        batch.commit({table: Replace()})
    warehouse.merge()


def put_positions(
    warehouse: Warehouse,
    copier: Sequence[Position],
    whale: Sequence[Position],
    ratio: float = 0.08,
    held: bool = True,
    histories: Mapping[str, WhaleHistory] | None = None,
    outcomes: Mapping[str, int] | None = None,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Compare, store and publish. With `held`, the whale held the copier's other tokens until two hours ago.

    `histories` are the whale's of single tokens; `outcomes` and `notes` as in `compare_positions` and its summary.
    """
    time = now()
    left = WhaleHistory(held, time - timedelta(hours=2))
    histories = {p.asset: left for p in copier_only(copier, whale)} | dict(histories or {})
    rows = compare_positions(copier, whale, ratio, histories, outcomes=outcomes)
    with warehouse.batch("positions") as batch:
        batch.add("positions", (asdict(row) | {"compared_at": time} for row in rows))
        batch.add(
            "position_summaries",
            [summary_row(summarize_positions(rows, ratio, notes), Wallets(COPIER, WHALE, ratio), time)],
        )
        batch.commit({"positions": Replace(), "position_summaries": Append()})
    warehouse.merge()


def now() -> datetime:
    """The current time without microseconds."""
    return datetime.now(UTC).replace(microsecond=0)


def _fact(value: float | str) -> Fact[float]:
    return Fact.unknown(value) if isinstance(value, str) else Fact(value)


def _source(ok: bool) -> dict[str, Any]:
    return {"ok": ok, "age": 0.0 if ok else 120.0}
