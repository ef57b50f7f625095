"""The age of an answer counts where the time of reading is stored."""

from datetime import UTC, datetime, timedelta

import httpx

from polypipe.divergence.sources import answered_at, fetch
from polypipe.polymarket import run
from polypipe_tests.polymarket.support import client

COPIER, WHALE = "0x" + "ab" * 20, "0x" + "cd" * 20
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def test_value_from_a_cache_was_answered_as_long_ago_as_its_age() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/value":
            return httpx.Response(200, json=[])
        age = {"Age": "290"} if request.url.params["user"] == WHALE else {}
        return httpx.Response(200, json=[{"value": 5}], headers=age)

    fetched = run(client(httpx.MockTransport(answer)), lambda http: fetch(http, COPIER, WHALE, lambda: NOW))
    times = answered_at(fetched, {})
    assert times["user1_value"] == NOW
    assert times["user2_value"] == NOW - timedelta(seconds=290)
