"""The HTTP client: retries, waits, deadlines and rate limits, without sockets."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.polymarket import (
    DeadlineExceeded,
    Hosts,
    PolymarketError,
    PolymarketHttp,
    RequestRefused,
    ServerUnavailable,
    UnexpectedBody,
    headers,
    run,
)
from polypipe.polymarket import http as http_module
from polypipe_tests.polymarket.support import client

Answer = httpx.Response | Exception
decode_any = msgspec.json.Decoder().decode


class Script:
    """A transport that gives the listed responses in order, repeats the last one, and records the requests."""

    def __init__(self, *answers: Answer | Callable[[], Answer]) -> None:
        self.answers = answers
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = self.answers[min(len(self.requests), len(self.answers) - 1)]
        self.requests.append(request)
        answer = answer() if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        return answer


def ok() -> httpx.Response:
    return httpx.Response(200, json={"fine": True})


def ask(script: Script, decode: Callable[[bytes], Any] = decode_any, **options: Any) -> Any:
    http = client(httpx.MockTransport(script), **options)
    return run(http, lambda opened: opened.get_json("data", "/value", [("user", "0x1")], decode))


def failing(script: Script, kind: type[PolymarketError], **options: Any) -> PolymarketError:
    with pytest.raises(kind) as caught:
        ask(script, **options)
    assert type(caught.value) is kind
    return caught.value


def test_requests_have_a_user_agent_timeouts_and_accept_gzip() -> None:
    script = Script(ok)
    assert ask(script) == {"fine": True}
    request = script.requests[0]
    assert str(request.url) == "https://data-api.polymarket.com/value?user=0x1"
    assert request.headers["user-agent"].startswith("polypipe/")
    assert request.headers["user-agent"].endswith(" (+copy-trading pipeline)")
    assert request.headers["accept-encoding"] == "gzip"
    assert request.extensions["timeout"] == {"connect": 5.0, "read": 30.0, "write": 30.0, "pool": 30.0}


@pytest.mark.parametrize(
    "failure",
    [
        lambda: httpx.ConnectTimeout("slow"),
        lambda: httpx.ReadTimeout("slow"),
        lambda: httpx.ConnectError("refused"),
        lambda: httpx.RemoteProtocolError("peer closed connection"),
        lambda: httpx.DecodingError("bad gzip"),
        lambda: httpx.Response(408),
        lambda: httpx.Response(425),
        lambda: httpx.Response(429),
        lambda: httpx.Response(500),
        lambda: httpx.Response(503, text="<html>busy</html>"),
        lambda: httpx.Response(520),
        lambda: httpx.Response(522),
        lambda: httpx.Response(525, html="<html>error code: 525"),
        lambda: httpx.Response(530),
        lambda: httpx.Response(200, text='{"torn": ['),
        lambda: httpx.Response(200, text=""),
    ],
)
def test_transient_failures_are_retried_up_to_the_attempt_limit(failure: Callable[[], Answer]) -> None:
    script = Script(failure, failure, ok)
    assert ask(script) == {"fine": True}
    assert len(script.requests) == 3

    script = Script(failure)
    error = failing(script, UnexpectedBody if _is_200(failure()) else ServerUnavailable, attempts=4)
    assert len(script.requests) == error.attempts == 4
    assert "user=0x1" in str(error)


def _is_200(answer: Answer) -> bool:
    return isinstance(answer, httpx.Response) and answer.status_code == 200


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 422, 204])
def test_other_statuses_are_never_retried(status: int) -> None:
    headers = {"location": "/elsewhere"} if status in (301, 302) else {}
    script = Script(lambda: httpx.Response(status, text="no\nthanks" if status != 204 else "", headers=headers))
    error = failing(script, RequestRefused)
    assert len(script.requests) == 1
    assert error.status == status
    assert f"HTTP {status}" in str(error)
    assert error.body == ("no\\nthanks" if status != 204 else "")


def test_json_of_the_wrong_shape_is_not_retried() -> None:
    script = Script(lambda: httpx.Response(200, json={"error": "cannot get the information"}))
    with pytest.raises(UnexpectedBody, match=r"wrong shape.*cannot get the information") as caught:
        ask(script, msgspec.json.Decoder(list[int]).decode)
    assert len(script.requests) == 1
    assert caught.value.status == 200


def test_a_body_above_the_size_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_module, "MAX_BODY_BYTES", 1000)
    script = Script(lambda: httpx.Response(200, content=b"[" + b"1," * 1000))
    error = failing(script, UnexpectedBody)
    assert "larger than 1000 bytes" in str(error)
    assert len(script.requests) == 1


def test_an_unsupported_base_url_is_refused_without_showing_its_password() -> None:
    http = client(None, Hosts(data="ftp://user:secret@host"))
    with pytest.raises(RequestRefused, match="cannot be sent") as caught:
        run(http, lambda opened: opened.get_json("data", "/value", [], decode_any))
    assert "secret" not in str(caught.value)
    assert http.traffic.requests == 1


def test_waits_double_with_jitter_up_to_30_seconds() -> None:
    waits: list[float] = []

    async def record(seconds: float) -> None:
        waits.append(seconds)

    failing(Script(httpx.Response(500)), ServerUnavailable, attempts=9, backoff=1.0, sleep=record, deadline=1e6)
    assert len(waits) == 8
    for number, wait in enumerate(waits):
        assert min(2.0**number, 30) <= wait <= min(2.0**number, 30) + 1
    assert any(wait != int(wait) for wait in waits)


def waits_for(*answers: Answer | Callable[[], Answer], **options: Any) -> list[float]:
    waits: list[float] = []

    async def record(seconds: float) -> None:
        waits.append(seconds)

    ask(Script(*answers, ok), sleep=record, deadline=1e6, **options)
    return waits


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("text", ["77", " 77 ", "77.0"])
def test_retry_after_in_seconds_is_honoured(status: int, text: str) -> None:
    assert waits_for(httpx.Response(status, headers={"Retry-After": text})) == [77.0]


def test_retry_after_as_a_date_is_honoured() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=5000), usegmt=True)
    (wait,) = waits_for(httpx.Response(429, headers={"Retry-After": date}))
    assert 4000 < wait <= 5000


def test_retry_after_in_the_body_is_honoured() -> None:
    assert waits_for(httpx.Response(429, json={"code": "rate_limited", "retry_after_seconds": 66})) == [66.0]


@pytest.mark.parametrize("text", ["soon", "-5", "", "0", "Mon, 01 Jan 2001 00:00:00 GMT", "٣"])
def test_an_invalid_or_past_retry_after_leaves_the_backoff(text: str) -> None:
    (wait,) = waits_for(httpx.Response(429, headers={"Retry-After": text.encode()}), backoff=1.0)
    assert 1.0 <= wait <= 2.0


@given(
    header=st.none() | st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ .*"),
    body=st.binary(),
)
def test_retry_after_is_a_wait_or_none_whatever_is_sent(header: str | None, body: bytes) -> None:
    seconds = headers.retry_after(header, body)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("text", ["3600", "9" * 400])
def test_a_retry_after_beyond_the_deadline_fails_at_once(text: str) -> None:
    script = Script(httpx.Response(429, headers={"Retry-After": text}))
    error = failing(script, DeadlineExceeded, deadline=60.0, sleep=_never)
    assert len(script.requests) == 1
    assert error.status == 429
    assert "HTTP 429; the next attempt is due in" in str(error)
    assert "60 s are left" in str(error)


async def _never(_seconds: float) -> None:
    raise AssertionError("waited for an attempt after the deadline")


def test_the_deadline_covers_retries_and_waits_and_names_the_last_failure() -> None:
    script = Script(httpx.ReadTimeout("slow"))

    async def until_the_end(_seconds: float) -> None:
        await asyncio.Event().wait()

    error = failing(script, DeadlineExceeded, deadline=0.2, backoff=0.0, sleep=until_the_end)
    assert "within 0.2 s" in str(error)
    assert "last failure: ReadTimeout slow" in str(error)
    assert error.url == "https://data-api.polymarket.com/value?user=0x1"


def test_an_operation_ends_all_requests_in_it() -> None:
    async def hang(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def work(http: PolymarketHttp) -> None:
        async with http.operation(0.1):
            get = [http.get_json("data", "/value", [("n", str(n))], decode_any) for n in range(20)]
            await asyncio.gather(*get)

    with pytest.raises(DeadlineExceeded, match=r"within 0\.1 s"):
        run(client(httpx.MockTransport(hang)), work)


def test_the_earlier_deadline_of_nested_operations_applies() -> None:
    async def hang(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def work(http: PolymarketHttp, outer: float, inner: float) -> None:
        async with http.operation(outer), http.operation(inner):
            await http.get_json("data", "/value", [], decode_any)

    for outer, inner in ((0.1, 60.0), (60.0, 0.1)):
        with pytest.raises(DeadlineExceeded, match=r"GET https://data-api\.polymarket\.com/value.*within 0\.1 s"):
            run(client(httpx.MockTransport(hang)), lambda http, o=outer, i=inner: work(http, o, i))


def test_a_timeout_error_of_the_caller_is_not_converted() -> None:
    async def work(http: PolymarketHttp) -> None:
        async with http.operation(60):
            raise TimeoutError("the caller's own")

    with pytest.raises(TimeoutError, match="the caller's own"):
        run(client(), work)


def test_at_most_eight_requests_are_in_flight() -> None:
    now, most = 0, 0

    async def slow(_request: httpx.Request) -> httpx.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        for _ in range(50):
            await asyncio.sleep(0)
        now -= 1
        return ok()

    async def work(http: PolymarketHttp) -> None:
        await asyncio.gather(*(http.get_json("data", "/value", [], decode_any) for _ in range(40)))

    run(client(httpx.MockTransport(slow), rate_share=1e9), work)
    assert most == 8


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        timers = [timer.when() for timer in self._scheduled if not timer.cancelled()]
        if timers and not self._ready:
            self.now = max(self.now, min(timers))
        self.now += 1e-6
        super()._run_once()


def send_times(host: str, paths: list[str], requests: int) -> list[float]:
    """Virtual send times of requests that are all submitted at time 0."""
    times: list[float] = []

    def note(_request: httpx.Request) -> httpx.Response:
        times.append(asyncio.get_running_loop().time())
        return ok()

    async def work() -> None:
        async with PolymarketHttp(transport=httpx.MockTransport(note)) as http:
            asks = (http.get_json(host, paths[n % len(paths)], [], decode_any) for n in range(requests))
            await asyncio.gather(*asks)

    with asyncio.Runner(loop_factory=Clock) as runner:
        runner.run(work())
    return times


@pytest.mark.slow
@pytest.mark.parametrize(
    ("host", "paths", "published"),
    [
        ("gamma", ["/events/keyset"], 500),
        ("gamma", ["/markets/keyset"], 300),
        ("gamma", ["/sports"], 4000),
        ("data", ["/trades"], 200),
        ("data", ["/positions"], 150),
        ("data", ["/value", "/activity"], 1000),
        ("pnl", ["/user-pnl"], 200),
        ("clob", ["/prices-history"], 1000),
    ],
)
def test_no_ten_seconds_have_more_than_a_third_of_the_published_limit(host: str, paths: list[str], published: int) -> None:
    third = published / 3
    times = send_times(host, paths, int(third * 1.5))
    for first in times:
        assert sum(first <= time < first + 10 for time in times) <= third + 1
    assert times[-1] >= 14  # and the limit is used: 1.5 windows of requests take 15 seconds
    assert times[-1] <= 16


def test_traffic_counts_requests_retries_and_bytes() -> None:
    async def work(http: PolymarketHttp) -> None:
        await http.get_json("data", "/value", [], decode_any)

    http = client(httpx.MockTransport(Script(httpx.Response(500, text="abc"), ok)))
    run(http, work)
    assert (http.traffic.requests, http.traffic.retries) == (2, 1)
    assert http.traffic.bytes == len(b"abc") + len(ok().content)
