"""Helpers for tests of history."""

from datetime import UTC, datetime, timedelta
from typing import Any

from polypipe.sim.standings import float32
from polypipe.warehouse import Warehouse
from polypipe_tests.divergence.support import rows
from polypipe_tests.sim.server import SimServer

DAY = timedelta(days=1)


def midnight(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def points(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """Every column of wallet_pnl except the time of reading."""
    return rows(warehouse, "SELECT wallet, t, p, fidelity FROM wallet_pnl ORDER BY ALL")


def activity(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """Every column of both activity tables except the time of reading."""
    return [
        *rows(warehouse, "SELECT * FROM wallet_activity ORDER BY ALL"),
        *rows(warehouse, "SELECT wallet, day, activities FROM activity_days ORDER BY ALL"),
    ]


def true_points(sim: SimServer, wallet: str, start: datetime, end: datetime) -> list[tuple[Any, ...]]:
    """The exchange's points of a wallet in [start, end], in single precision as the API sends them."""
    return [
        (wallet, datetime.fromtimestamp(t, UTC), float32(p))
        for t, p in sim.ledger.hours(wallet, sim.clock.now())
        if start.timestamp() <= t <= end.timestamp()
    ]


def asked(sim: SimServer, path: str) -> int:
    """Number of requests to a path so far."""
    return sum(seen.path == path for seen in sim.requests)
