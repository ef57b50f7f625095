"""Hands a world to polypipe through its HTTP client, day by day as in production, and reads the stored tables back.

The functions are those that the assets call, with a clock.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from polypipe.attribution.copy_fills import compute_fills, update_fills
from polypipe.attribution.daily_gap import compute_gap
from polypipe.attribution.metrics import compute_metrics
from polypipe.attribution.wallet_fees import compute_wallet_fees
from polypipe.bot.ingest import ingest
from polypipe.bot.logs import TRADE_LOG
from polypipe.caches.universe import crawl_and_store
from polypipe.divergence.position_refresh import refresh_positions
from polypipe.divergence.snapshot import take_snapshot
from polypipe.history.activity import load_activity
from polypipe.history.copy_quality import compute_quality
from polypipe.history.pnl import load_pnl
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import Hosts, PolymarketHttp
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse
from polypipe_tests.truth.exchange import TruthExchange
from polypipe_tests.truth.log import log_lines
from polypipe_tests.truth.wallets import COPIER, WHALE
from polypipe_tests.truth.world import World

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
READINGS = (-5, 0, 25)
"""Minutes around each midnight at which positions are compared. Production compares every five minutes."""

REREAD = 3
"""Days before the newest one that are computed again, as the schedules do."""


@dataclass
class Found:
    """The stored rows of the world's days. JSON columns are parsed."""

    warehouse: Warehouse
    wallets: Wallets
    exchange: TruthExchange
    fills: list[dict[str, Any]]
    metrics: list[dict[str, Any]]
    gaps: list[dict[str, Any]]
    exits: list[dict[str, Any]]


def measured(world: World, home: Path) -> Found:
    """Live through the world's days with polypipe."""
    warehouse, exchange = Warehouse(home), TruthExchange(world)
    polymarket = client(exchange)
    first = datetime.fromtimestamp(world.start, UTC)
    if world.kind.fees or world.kind.acts:
        at(exchange, first + 60 * MINUTE)
        crawl_and_store(polymarket, warehouse)
    if not world.kind.installed:
        end = first + world.kind.days * DAY
        refresh_positions(polymarket, warehouse, pair(world, exchange), at(exchange, end + 25 * MINUTE))
        compute(polymarket, warehouse, pair(world, exchange), first, end, at(exchange, end + 27 * MINUTE))
    for n in range(world.kind.days if world.kind.installed else 0):
        midnight = first + (n + 1) * DAY
        if world.kind.snapshots:
            for hour in range(24):
                now = at(exchange, midnight - DAY + timedelta(hours=hour, minutes=30))
                take_snapshot(polymarket, warehouse, pair(world, exchange), now)
        for minutes in READINGS:
            now = at(exchange, midnight + minutes * MINUTE)
            refresh_positions(polymarket, warehouse, pair(world, exchange), now)
        if world.kind.log:
            _read_log(world, exchange, warehouse, home)
        start = max(first, midnight - (REREAD + 1) * DAY)
        compute(polymarket, warehouse, pair(world, exchange), start, midnight, at(exchange, midnight + 27 * MINUTE))
    return read(warehouse, pair(world, exchange), exchange)


def matched(world: World, home: Path) -> Found:
    """Only the matched fills of the world, all days in one go as a backfill computes them; the other tables are empty."""
    warehouse, exchange = Warehouse(home), TruthExchange(world)
    start, end = (datetime.fromtimestamp(t, UTC) for t in (world.start, world.end))
    now = at(exchange, end + 27 * MINUTE)
    if world.kind.log:
        _read_log(world, exchange, warehouse, home)
    load_activity(client(exchange), warehouse, pair(world, exchange), start, end, now)
    compute_fills(warehouse, pair(world, exchange), start, end)
    return read(warehouse, pair(world, exchange), exchange)


def compute(
    polymarket: Polymarket,
    warehouse: Warehouse,
    wallets: Wallets,
    start: datetime,
    midnight: datetime,
    now: Callable[[], datetime],
) -> None:
    """What the schedules of history and attribution do after a midnight, for the days from `start` to it."""
    load_pnl(polymarket, warehouse, wallets, start, midnight, now)
    load_activity(polymarket, warehouse, wallets, start, midnight, now)
    compute_quality(warehouse, wallets, start, midnight)
    update_fills(polymarket, warehouse, wallets, start, midnight, now)
    compute_wallet_fees(warehouse, wallets, start, midnight)
    compute_metrics(warehouse, wallets, start, midnight)
    compute_gap(warehouse, wallets, start, midnight)


def client(exchange: TruthExchange) -> Polymarket:
    """A client whose requests the exchange answers in this process."""
    hosts = Hosts("http://truth", "http://truth", "http://truth", "http://truth")
    made: Callable[..., PolymarketHttp] = partial(PolymarketHttp, transport=exchange, rate_share=100.0, attempts=2)
    return Polymarket(hosts, client=made)


def at(exchange: TruthExchange, now: datetime) -> Callable[[], datetime]:
    """Set the exchange's clock, and return it."""
    exchange.now = now.timestamp()
    return lambda: now


def pair(world: World, exchange: TruthExchange) -> Wallets:
    """The pair with the ratio that is set now."""
    return Wallets(COPIER, WHALE, world.ratio_at(exchange.now))


def _read_log(world: World, exchange: TruthExchange, warehouse: Warehouse, home: Path) -> None:
    path = home / "bot" / TRADE_LOG.file
    path.parent.mkdir(exist_ok=True, parents=True)
    lines = log_lines(world, exchange.now)
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    ingest(warehouse, TRADE_LOG, path)


def read(warehouse: Warehouse, wallets: Wallets, exchange: TruthExchange) -> Found:
    """The rows of the computed tables."""
    return Found(
        warehouse,
        wallets,
        exchange,
        rows(warehouse, "copy_fills ORDER BY timestamp, key"),
        rows(warehouse, "copy_metrics_daily WHERE window_days = 1 ORDER BY day"),
        rows(warehouse, "gap_attribution ORDER BY day"),
        rows(warehouse, "uncopied_exits ORDER BY day, token_id"),
    )


def rows(warehouse: Warehouse, what: str) -> list[dict[str, Any]]:
    with warehouse.read() as con:
        result = con.execute(f"SELECT * FROM {what}")
        names = [column[0] for column in result.description or ()]
        found = [dict(zip(names, values, strict=True)) for values in result.fetchall()]
    for row in found:
        row |= {name: json.loads(row[name]) for name in ("notes", "reasons", "funnel") if row.get(name)}
    return found
