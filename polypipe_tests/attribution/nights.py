"""Plays scripts night by night, from the exchange's HTTP to the tables of attribution."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from polypipe.attribution.copy_fills import compute_fills
from polypipe.attribution.daily_gap import compute_gap
from polypipe.attribution.parts import PARTS
from polypipe.attribution.price_history import LoadedPrices, load_prices
from polypipe.clock import Clock
from polypipe.divergence.position_refresh import refresh_positions
from polypipe.history.activity import load_activity
from polypipe.history.copy_quality import compute_quality
from polypipe.history.pnl import load_pnl
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.sim.script import YES, Script
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse
from polypipe_tests.conftest import impatient, settings_for
from polypipe_tests.sim.server import SimServer

RATIO = 0.08
WALLETS = Wallets(COPIER_ADDRESS, WHALE_ADDRESS, RATIO)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
T0 = datetime(2026, 11, 20, tzinfo=UTC)
AS_IN_PRODUCTION = (23 * HOUR + 55 * MINUTE, DAY + 26 * MINUTE)
"""Times of the comparisons of positions, from the midnight at which a day begins."""

Gap = dict[str, Any]


def at(now: datetime) -> Clock:
    """A clock that stands still."""
    return lambda: now


def script_of() -> Script:
    """A script with a share each from before the first day, so that both PnL series begin before it."""
    script = Script(ratio=RATIO)
    before = script.market("Before?")
    for wallet in (WHALE_ADDRESS, COPIER_ADDRESS):
        script.buy(wallet, T0 - 2 * DAY, before, YES, 1, 0.5)
    return script


def played(
    home: Path,
    script: Script,
    days: int = 2,
    compared: tuple[timedelta, ...] = AS_IN_PRODUCTION,
    *,
    history: bool = True,
) -> tuple[list[Gap], list[LoadedPrices]]:
    """The rows of gap_attribution, and what was asked for each day; all days are computed again each night."""
    warehouse, loaded = Warehouse(home), []
    with SimServer(1, script=script, start=T0) as sim:
        polymarket = impatient(settings_for(sim.url))
        for n in range(days):
            day = T0 + n * DAY
            for after in compared:
                sim.clock.set((day + after).timestamp())
                refresh_positions(polymarket, warehouse, WALLETS, at(day + after))
            now = day + DAY + 27 * MINUTE
            sim.clock.set(now.timestamp())
            load_activity(polymarket, warehouse, WALLETS, day, day + DAY, at(now))
            load_pnl(polymarket, warehouse, WALLETS, day, day + DAY, at(now))
            compute_quality(warehouse, WALLETS, day, day + DAY)
            if history:
                loaded.append(load_prices(polymarket, warehouse, WALLETS, T0, day + DAY, at(now)))
                assert load_prices(polymarket, warehouse, WALLETS, T0, day + DAY, at(now)).requests == 0
            compute_fills(warehouse, WALLETS, day, day + DAY)
            compute_gap(warehouse, WALLETS, T0, day + DAY)
    with warehouse.read() as con:
        result = con.execute("SELECT * FROM gap_attribution ORDER BY day")
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, values, strict=True)) for values in result.fetchall()], loaded


def parts(gap: Gap) -> dict[str, float]:
    """The parts of a day that are not zero, `unexplained` included, in cents."""
    cents = {name: round(100 * (gap[name] or 0.0)) for name in (*PARTS, "unexplained")}
    return {name: usd / 100 for name, usd in cents.items() if usd}
