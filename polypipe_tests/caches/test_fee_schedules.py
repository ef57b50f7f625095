"""The fee schedules of markets, as the crawl stores them, against the exchange's raw answers."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from polypipe.caches.assets import sports_events
from polypipe.caches.universe import crawl_and_store
from polypipe.sim.script import Script
from polypipe.warehouse import Warehouse
from polypipe_tests.conftest import impatient, settings_for
from polypipe_tests.oracle import open_events
from polypipe_tests.sim.server import SimServer

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
COLUMNS = "fee_rate, fee_exponent, fee_rebate_rate, fee_taker_only"


def rows(warehouse: Warehouse, query: str) -> list[tuple]:
    with warehouse.read() as con:
        return con.execute(query).fetchall()


@pytest.mark.slow
def test_each_market_is_stored_with_its_fee_schedule(sim, settings, warehouse, polymarket) -> None:
    resources = {"settings": settings, "warehouse": warehouse, "polymarket": polymarket}
    assert dg.materialize([sports_events], resources=resources).success
    sent = {
        market["conditionId"]: market["feeSchedule"]
        for event in open_events(sim.url)
        for market in event["markets"]
        if "feeSchedule" in market and market.get("feesEnabled")
    }
    stored = rows(warehouse, f"SELECT condition_id, {COLUMNS} FROM markets")
    assert len(stored) > 100
    for condition, *schedule in stored:
        raw = sent[condition]
        assert schedule == [raw["rate"], raw["exponent"], raw["rebateRate"], raw["takerOnly"]]


def exchange(rate: float, at: datetime) -> tuple[SimServer, str, str]:
    """An exchange at an instant with two markets, and their condition ids. The first, with the given rate, closes at 14."""
    script = Script()
    first = script.market("Will it rain?", 0.5, settles_at=NOON + timedelta(hours=2), fee_rate=rate)
    other = script.market("Will it snow?", 0.5, settles_at=NOON + timedelta(days=9))
    return SimServer(1, script=script, start=at), first.condition_id, other.condition_id


@pytest.mark.slow
def test_schedule_of_a_market_is_kept_when_it_changes_and_after_the_market_is_closed(tmp_path) -> None:
    warehouse = Warehouse(tmp_path)

    def crawled(rate: float, at: datetime) -> list[tuple]:
        with exchange(rate, at)[0] as sim:
            crawl_and_store(impatient(settings_for(sim.url)), warehouse)
        warehouse.merge()
        return rows(warehouse, "SELECT condition_id, rate, exponent, rebate_rate, taker_only FROM fee_schedules")

    _, market, other = exchange(0.04, NOON)
    first = {(market, 0.04, 1.0, 0.25, True), (other, 0.05, 1.0, 0.25, True)}
    assert first <= set(crawled(0.04, NOON))
    again = crawled(0.04, NOON)
    assert len(again) == len(set(again))  # an equal schedule is not stored again
    changed = first | {(market, 0.03, 1.0, 0.25, True)}
    assert changed <= set(crawled(0.03, NOON))
    assert changed <= set(crawled(0.03, NOON + timedelta(days=1)))
    open_now = {condition for (condition,) in rows(warehouse, "SELECT condition_id FROM markets")}
    assert other in open_now
    assert market not in open_now
