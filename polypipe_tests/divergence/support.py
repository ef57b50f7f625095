"""Helpers for tests of snapshots and positions."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import dagster as dg
import msgspec

from polypipe.divergence.assets import positions
from polypipe.divergence.position_refresh import refresh_positions
from polypipe.polymarket.wallet_models import Position
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.warehouse import Upsert, Warehouse
from polypipe_tests.conftest import impatient, settings_for
from polypipe_tests.sim.server import SimServer

SOURCES = ("/value", "/user-pnl", "/v1/leaderboard")
T = int(datetime(2026, 11, 20, 9, tzinfo=UTC).timestamp())
HOUR = 3600


class Compared:
    """One exchange that plays a script, and the tables that are filled from it. Close it, or use it as a context manager.

    `statuses` compares and stores without Dagster; the numbers that are read after it come from one reader.
    """

    def __init__(self, sim: SimServer, home: Path) -> None:
        self.sim = sim
        self.settings = settings_for(
            sim.url,
            POLYPIPE_HOME=str(home),
            POLYPIPE_COPIER_ADDRESS=COPIER_ADDRESS,
            POLYPIPE_WHALE_ADDRESS=WHALE_ADDRESS,
            POLYPIPE_SCALING_RATIO="0.1",
        )
        self.warehouse = Warehouse(home)
        self._reader = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._reader.close()

    def run(self) -> dg.ExecuteInProcessResult:
        """Materialize the asset."""
        resources = {"settings": self.settings, "warehouse": self.warehouse, "polymarket": impatient(self.settings)}
        return dg.materialize([positions], resources=resources, raise_on_error=False)

    def statuses(self) -> dict[str, str]:
        """Compare, and return the stored status of each token."""
        assert self.settings.wallets is not None
        stored = refresh_positions(impatient(self.settings), self.warehouse, self.settings.wallets)
        assert stored.waiting is None
        self._reader.close()
        self._con = self._reader.enter_context(self.warehouse.read())
        return dict(self._rows("SELECT token_id, status FROM positions"))

    def row(self, token: str, columns: str) -> tuple[Any, ...]:
        (found,) = self._rows(f"SELECT {columns} FROM positions WHERE token_id = '{token}'")
        return found

    def summary(self, columns: str) -> Any:
        found = self._rows(f"SELECT {columns} FROM position_summaries ORDER BY compared_at DESC LIMIT 1")[0]
        return found if len(found) > 1 else found[0]

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self._con.execute(query).fetchall()
        return found

    def notes(self) -> dict[str, str]:
        return json.loads(self.summary("notes"))  # type: ignore[no-any-return]


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
