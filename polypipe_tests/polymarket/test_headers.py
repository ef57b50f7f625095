"""Ages of answers count, and announcements of the API are kept."""

import asyncio
from datetime import date

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.polymarket import PolymarketHttp, answer_age, run
from polypipe.polymarket.headers import age_of, announcements_of
from polypipe_tests.polymarket.support import client

decode_any = msgspec.json.Decoder().decode


def test_the_oldest_answer_counts_in_every_scope_around_it() -> None:
    ages = {"/a": "290", "/b": "12", "/c": ""}

    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=1, headers={"Age": ages[request.url.path]})

    async def work(http: PolymarketHttp) -> list[float]:
        async def read(path: str) -> float:
            with answer_age() as one:
                await http.get_json("data", path, [], decode_any)
            return one.seconds

        with answer_age() as both:
            alone = await asyncio.gather(read("/a"), read("/b"), read("/c"))
        return [*alone, both.seconds]

    assert run(client(httpx.MockTransport(respond)), work) == [290.0, 12.0, 0.0, 290.0]


def test_the_age_of_a_failed_attempt_does_not_count() -> None:
    answers = iter([httpx.Response(503, headers={"Age": "900"}), httpx.Response(200, json=1, headers={"Age": "3"})])

    async def work(http: PolymarketHttp) -> float:
        with answer_age() as age:
            await http.get_json("data", "/value", [], decode_any)
        return age.seconds

    assert run(client(httpx.MockTransport(lambda _: next(answers))), work) == 3.0


@pytest.mark.parametrize("text", ["", "-5", "soon", "1e9", "٣", "1" * 13])
def test_an_age_that_is_not_a_number_of_seconds_is_zero(text: str) -> None:
    assert age_of(httpx.Headers([(b"age", text.encode())])) == 0.0


def announced(**headers: str) -> list[str]:
    request = httpx.Request("GET", "https://gamma-api.polymarket.com/events?limit=1")
    return [str(one) for one in announcements_of(httpx.Response(200, headers=headers, request=request))]


@pytest.mark.parametrize(
    ("headers", "lines"),
    [
        ({"Age": "5"}, []),
        ({"Deprecation": "@1796083200"}, ["Deprecation 2026-12-01: ＠1796083200"]),
        ({"Deprecation": "true"}, ["Deprecation: true"]),
        ({"Sunset": "Sun, 31 Jan 2027 23:59:59 GMT"}, ["Sunset 2027-01-31: Sun, 31 Jan 2027 23:59:59 GMT"]),
        (
            {"Warning": '299 - "use /events/keyset" "Sun, 31 Jan 2027 23:59:59 GMT"'},
            ["Warning 299 2027-01-31: use /events/keyset"],
        ),
        ({"Warning": '299 api "going away"'}, ["Warning 299: going away"]),
        ({"Warning": '110 - "Response is stale"'}, []),
        ({"Deprecation": "true", "Sunset": "2027-02-01"}, ["Deprecation: true", "Sunset 2027-02-01: 2027-02-01"]),
    ],
)
def test_announcements_are_one_line_with_host_path_and_date(headers: dict[str, str], lines: list[str]) -> None:
    assert announced(**headers) == [f"gamma-api.polymarket.com/events: {line}" for line in lines]


@given(value=st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0")))
def test_any_announcement_is_one_printable_bounded_line(value: str) -> None:
    for header in ("deprecation", "sunset", "warning"):
        request = httpx.Request("GET", "https://gamma-api.polymarket.com/events")
        response = httpx.Response(200, headers=[(header.encode(), value.encode("latin-1"))], request=request)
        for one in announcements_of(response):
            assert str(one).isprintable()
            assert len(str(one)) < 300
            assert one.on is None or isinstance(one.on, date)


def test_the_client_keeps_the_last_announcement_of_each_path() -> None:
    answers = iter([httpx.Response(200, json=1, headers={"Sunset": day}) for day in ("2027-01-01", "2027-02-01")])

    async def work(http: PolymarketHttp) -> None:
        for _ in range(2):
            await http.get_json("gamma", "/events", [], decode_any)

    http = client(httpx.MockTransport(lambda _: next(answers)))
    run(http, work)
    assert [one.on for one in http.announcements.values()] == [date(2027, 2, 1)]
