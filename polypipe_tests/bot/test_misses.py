"""Cache misses: when a token was first seen, and the whale fills before that."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from polypipe.bot.ingest import ingest
from polypipe.bot.logs import TRADE_LOG
from polypipe.bot.misses import misses_query, misses_summary
from polypipe.caches.universe import crawl_and_store
from polypipe.warehouse import Append, Replace
from polypipe_tests.bot.corpus import line
from polypipe_tests.bot.support import rows, text

SEEN = "SELECT token_id, min(first_seen) FROM token_first_seen GROUP BY token_id"


def with_one_more_market(sim, ids):
    """Add a market with these tokens to the first event that has markets, in all responses from now on."""
    chosen = []

    def mutate(page):
        for event in page["events"]:
            markets = [m for m in event["markets"] if m.get("active") and not m.get("closed")]
            if markets and event["id"] == next(iter(chosen), event["id"]):
                chosen.append(event["id"])
                copy = json.loads(json.dumps(markets[0]))
                event["markets"].append(copy | {"id": "999999", "version": "v1", "clobTokenIds": json.dumps(ids)})
        return page

    sim.faults.add("mutate", "/events/keyset", mutate=mutate)


@pytest.mark.slow
def test_crawl_records_when_each_token_was_first_seen(sim, warehouse, polymarket):
    first = crawl_and_store(polymarket, warehouse)
    everything = {token for (token,) in rows(warehouse, "SELECT token_id FROM tokens")}
    at_first = dict(rows(warehouse, SEEN))
    assert at_first.keys() == everything
    assert all(first.report.started_at <= time <= first.report.finished_at for time in at_first.values())

    crawl_and_store(polymarket, warehouse)
    assert rows(warehouse, "SELECT count(*) FROM token_first_seen") == [(len(everything),)]

    with_one_more_market(sim, ["77", "78"])
    third = crawl_and_store(polymarket, warehouse)
    seen = dict(rows(warehouse, SEEN))
    assert third.report.started_at <= seen["77"] == seen["78"] <= third.report.finished_at
    assert {token: time for token, time in seen.items() if token in everything} == at_first


def test_crawl_into_a_home_without_records_records_every_token(warehouse, polymarket):
    crawl_and_store(polymarket, warehouse)
    with warehouse.batch("forget") as batch:
        batch.commit({"token_first_seen": Replace()})
    warehouse.merge()
    crawl_and_store(polymarket, warehouse)
    assert rows(warehouse, "SELECT count(DISTINCT token_id) FROM token_first_seen") == rows(
        warehouse, "SELECT count(DISTINCT token_id) FROM tokens"
    )


def test_fills_before_their_token_was_first_seen_are_misses(warehouse, tmp_path):
    start = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    with warehouse.batch("seen") as batch:
        batch.add(
            "token_first_seen",
            [
                {"token_id": token, "first_seen": start + timedelta(minutes=minutes)}
                for token, minutes in [("1", 0), ("2", 10), ("2", 70), ("3", 30)]
            ],
        )
        batch.commit({"token_first_seen": Append()})
    fills = [
        ("1", "11:59:59.000"),  # before anything was recorded
        ("1", "12:00:01.000"),
        ("2", "12:04:00.000"),  # 6 minutes early
        ("2", "12:20:00.000"),
        ("2", "13:00:00.000"),  # it disappeared and came back later; not a miss
        ("3", "12:28:00.000"),  # 2 minutes early
        ("4", "12:30:00.000"),  # never seen
        ("4", "12:31:00.000"),
    ]
    path = tmp_path / "matches_optimized.csv"
    path.write_text(text([line(time=f"2026-11-20 {time}", token=token, usd="10.00") for token, time in fills]))
    ingest(warehouse, TRADE_LOG, path)
    early = f"SELECT token_id, seconds_until FROM ({misses_query(start)}) ORDER BY logged_at"
    assert rows(warehouse, early) == [("2", 360.0), ("3", 120.0), ("4", None), ("4", None)]
    with warehouse.read() as con:
        assert misses_summary(con, start) == {
            "fills": 4,
            "tokens": 3,
            "usd": 40.0,
            "tokens_still_unknown": 1,
            "median_seconds_until": 240.0,
        }
        assert misses_summary(con, start + timedelta(days=1)) == {
            "fills": 0,
            "tokens": 0,
            "usd": 0.0,
            "tokens_still_unknown": 0,
            "median_seconds_until": None,
        }
