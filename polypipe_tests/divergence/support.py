"""Helpers for tests of snapshots and positions."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from polypipe.polymarket.wallet_models import Position
from polypipe.warehouse import Upsert, Warehouse

SOURCES = ("/value", "/user-pnl", "/v1/leaderboard")


def position(asset: str = "1", size: float = 100.0, price: float | None = 0.5, **changes: Any) -> Position:
    """A position bought at 0.4; `changes` replace fields."""
    plain = Position(
        asset=asset,
        condition_id=f"0x{asset}",
        size=size,
        avg_price=0.4,
        initial_value=size * 0.4,
        current_value=None if price is None else size * price,
        cash_pnl=None if price is None else size * (price - 0.4),
        realized_pnl=0.0,
        cur_price=price,
        redeemable=False,
        mergeable=False,
        title=f"Market {asset}",
        slug=f"market-{asset}",
        event_slug=f"event-{asset}",
        outcome="Yes",
        outcome_index=0,
        opposite_asset=None,
        end_date="2026-11-23",
        negative_risk=False,
    )
    return msgspec.structs.replace(plain, **changes)


def rows(warehouse: Warehouse, query: str, pending: bool = True) -> list[tuple[Any, ...]]:
    """Rows of the stored tables."""
    with warehouse.read(pending=pending) as con:
        result: list[tuple[Any, ...]] = con.execute(query).fetchall()
        return result


def put_snapshots(warehouse: Warehouse, *made: dict[str, Any]) -> None:
    """Store snapshots and publish them; each needs an id and a timestamp."""
    with warehouse.batch("snapshot") as batch:
        batch.add("snapshots", ({"reasons": json.dumps({}), "origin": "polypipe", **row} for row in made))
        batch.commit({"snapshots": Upsert(("id",))})
    warehouse.merge()


@contextmanager
def held_by_somebody(database: Path) -> Iterator[None]:
    """Another process holds the DuckDB file open, as a user at the DuckDB prompt would."""
    code = "import sys, duckdb; con = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            yield
        finally:
            holder.kill()
