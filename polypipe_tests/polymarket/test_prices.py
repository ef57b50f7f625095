"""Past prices: batches of 20 tokens, refused ids, answers in an unexpected shape."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import httpx
import pytest

from polypipe.polymarket import RequestRefused, UnexpectedBody, run
from polypipe.polymarket.prices import BATCH, PricePoint, fetch_prices
from polypipe.sim.script import NO, YES, Script
from polypipe_tests.polymarket.support import client
from polypipe_tests.sim.server import SimServer

Answer = Callable[[httpx.Request], httpx.Response]


def fetched(answer: Answer, tokens: Sequence[str]) -> dict[str, list[PricePoint]]:
    return dict(run(client(httpx.MockTransport(answer)), lambda http: fetch_prices(http, tokens, 1000.0, 1600.9, 1)))


def test_tokens_share_one_request_and_their_points_are_sorted() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert (request.method, request.url.path) == ("POST", "/batch-prices-history")
        assert request.headers["content-type"] == "application/json"
        assert json.loads(request.content) == {
            "markets": ["A", "B", "C"], "start_ts": 1000, "end_ts": 1600, "fidelity": 1,
        }  # fmt: skip
        points = [{"t": 1120, "p": 0.5}, {"t": 1060, "p": 0.4}, {"t": 1180, "p": None}, {"t": 1240, "p": 1}]
        return httpx.Response(200, json={"history": {"A": points, "B": []}})

    assert fetched(answer, ["A", "B", "C"]) == {
        "A": [PricePoint(1060, 0.4), PricePoint(1120, 0.5), PricePoint(1240, 1)], "B": [], "C": [],
    }  # fmt: skip


def test_one_token_is_asked_for_by_get() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.method == "GET"
        assert dict(request.url.params) == {"market": "A", "startTs": "1000", "endTs": "1600", "fidelity": "1"}
        return httpx.Response(200, json={"history": [{"t": 1060, "p": 0.4}]})

    assert fetched(answer, ["A"]) == {"A": [PricePoint(1060, 0.4)]}


def test_a_refused_token_does_not_hide_the_prices_of_the_others() -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)["markets"] if request.content else [request.url.params["market"]]
        seen.append(len(asked))
        if "bad" in asked:
            return httpx.Response(400, json={"error": "invalid filters"})
        points = [{"t": 1060, "p": 0.4}]
        return httpx.Response(200, json={"history": dict.fromkeys(asked, points) if request.content else points})

    tokens = [f"T{n}" for n in range(7)] + ["bad"]
    known = [PricePoint(1060, 0.4)]
    assert fetched(answer, tokens) == dict.fromkeys(tokens, known) | {"bad": []}
    assert seen == [8, 4, 4, 2, 2, 1, 1]


def test_a_refusal_that_concerns_every_token_is_an_error() -> None:
    with pytest.raises(RequestRefused):
        fetched(lambda _: httpx.Response(401, json={}), ["A", "B"])


@pytest.mark.parametrize("body", [{"history": []}, {"histories": {}}, {"history": {"A": [{"t": 1, "p": 1.5}]}}, []])
def test_another_shape_is_an_error(body: object) -> None:
    with pytest.raises(UnexpectedBody):
        fetched(lambda _: httpx.Response(200, json=body), ["A", "B"])


def test_more_than_a_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="21 tokens"):
        fetched(lambda _: httpx.Response(200), [str(n) for n in range(BATCH + 1)])


def test_the_simulated_exchange_answers_one_and_several_tokens_alike() -> None:
    t0 = datetime(2026, 11, 20, tzinfo=UTC).timestamp()
    script = Script()
    market = script.market("Will it rain?", [(t0, 0.50), (t0 + 600, 0.60)])
    yes, no = market.token(YES), market.token(NO)
    window = {"start_ts": int(t0), "end_ts": int(t0 + 3600), "fidelity": 5}
    query = {"market": yes, "startTs": int(t0), "endTs": int(t0 + 3600), "fidelity": 5}
    with SimServer(1, script=script, start=t0 + 1300) as sim, httpx.Client(base_url=sim.url) as exchange:
        several = exchange.post("/batch-prices-history", json={"markets": [yes, no, "1"], **window}).json()["history"]
        one = exchange.get("/prices-history", params=query).json()["history"]
        too_many = exchange.post("/batch-prices-history", json={"markets": ["1"] * 21, **window})
        torn = exchange.post("/batch-prices-history", content=b"{")
    assert several[yes] == one
    assert [point["p"] for point in one] == [0.5, 0.6, 0.6, 0.6]
    assert [a["p"] + b["p"] for a, b in zip(several[yes], several[no], strict=True)] == [pytest.approx(1)] * 4
    assert several["1"] == []
    assert (too_many.status_code, torn.status_code) == (400, 400)
