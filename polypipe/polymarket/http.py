"""HTTP client for all Polymarket hosts: deadlines, retries, rate limits, typed errors.

Callers pass the function that decodes a response body.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal, Self, TypeVar

import msgspec
import tenacity
from aiolimiter import AsyncLimiter

from polypipe.polymarket.answer_age import note_age
from polypipe.polymarket.errors import (
    DeadlineExceeded,
    PolymarketError,
    Request,
    RequestRefused,
    ServerUnavailable,
    UnexpectedBody,
)
from polypipe.polymarket.headers import Announcement, age_of, announcements_of, retry_after
from polypipe.polymarket.interception import Handshake, interception, interrupted

if TYPE_CHECKING:
    import ssl

    import httpx

T = TypeVar("T")
HostName = Literal["gamma", "data", "pnl", "clob"]
Params = Sequence[tuple[str, str]]

USER_AGENT = f"polypipe/{version('polypipe')} (+copy-trading pipeline)"
MAX_IN_FLIGHT = 8
MAX_BODY_BYTES = 64 * 2**20  # the largest real page is below 5 MB; limits the memory that an endless body takes
MAX_WAIT_SECONDS = 30.0

# Published limits: host, path prefix, requests per ten seconds. A request counts against every row it matches.
# user-pnl is not in the published list; other clients use 200 without problems.
PUBLISHED_LIMITS: tuple[tuple[HostName, str, int], ...] = (
    ("gamma", "/", 4000),
    ("gamma", "/events", 500),  # /events and /markets share another limit of 900, which they cannot reach
    ("gamma", "/markets", 300),
    ("gamma", "/tags", 200),
    ("data", "/", 1000),
    ("data", "/trades", 200),
    ("data", "/positions", 150),
    ("data", "/closed-positions", 150),
    ("pnl", "/", 200),
    ("clob", "/", 9000),
    ("clob", "/prices-history", 1000),
    ("clob", "/batch-prices-history", 333),  # not in the list; /books and /prices have a third of /book and /price
)
LIMIT_WINDOW_SECONDS = 10.0
RETRIED = frozenset((408, 425, 429))  # and every 5xx, which includes Cloudflare's 520 to 530
MAX_ANNOUNCEMENTS = 50


@dataclass(frozen=True)
class Hosts:
    """Base URLs without a trailing slash. The defaults are the public hosts."""

    gamma: str = "https://gamma-api.polymarket.com"
    data: str = "https://data-api.polymarket.com"
    pnl: str = "https://user-pnl-api.polymarket.com"
    clob: str = "https://clob.polymarket.com"


@dataclass
class Traffic:
    """Counters since the client was opened. `bytes` is decoded, `wire_bytes` is as received (compressed)."""

    requests: int = 0
    retries: int = 0
    bytes: int = 0
    wire_bytes: int = 0

    def __sub__(self, before: Self) -> "Traffic":
        """Traffic since `before`, an earlier copy made with `dataclasses.replace`."""
        return Traffic(
            self.requests - before.requests,
            self.retries - before.retries,
            self.bytes - before.bytes,
            self.wire_bytes - before.wire_bytes,
        )


@dataclass
class _Operation:
    seconds: float
    ends_at: float
    request: Request | None = None
    last_failure: PolymarketError | None = None


_operation: ContextVar[_Operation | None] = ContextVar("polymarket_operation", default=None)


def tls_context() -> "ssl.SSLContext":
    """The TLS context of every client, with the certificates that `SSL_CERT_FILE` or `SSL_CERT_DIR` name.

    Reading the certificates takes 17 ms, more than all else that a client costs: once per process, not once per snapshot.
    """
    return _tls_context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _tls_context(_file: str | None, _directory: str | None) -> "ssl.SSLContext":
    import httpx

    return httpx.create_ssl_context()  # reads both variables


class PolymarketHttp:
    """One client for all hosts: an async context manager, opened in the event loop that uses it.

        async with PolymarketHttp() as http, http.operation(60):
            body = await http.get_json("gamma", "/events", [("limit", "1")], msgspec.json.decode)

    `deadline`: seconds for a request outside `operation`, including retries and waits.
    `attempts`, `backoff`: attempts per request, and the first wait in seconds, which doubles each time, with jitter.
    `rate_share`: the share of the published rate limits to use; requests are evenly spaced, without bursts.
    `transport`, `sleep`: for tests.
    """

    def __init__(
        self,
        hosts: Hosts | None = None,
        *,
        deadline: float = 120.0,
        attempts: int = 5,
        backoff: float = 0.5,
        rate_share: float = 1 / 3,
        transport: "httpx.AsyncBaseTransport | None" = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.hosts = hosts or Hosts()
        self.traffic = Traffic()
        self.announcements: dict[tuple[str, str, str], Announcement] = {}  # by host, path and header; the last one counts
        self._deadline = deadline
        self._attempts = attempts
        exponential = tenacity.wait_exponential(multiplier=backoff, max=MAX_WAIT_SECONDS)
        self._wait = exponential + tenacity.wait_random(0, backoff)
        self._rate_share = rate_share
        self._transport = transport
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        import httpx  # late: it loads a terminal's libraries, which the dashboard and most commands never need

        self._client = httpx.AsyncClient(
            headers={"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "gzip"},
            timeout=httpx.Timeout(30.0, connect=5.0),
            follow_redirects=False,
            limits=httpx.Limits(max_connections=MAX_IN_FLIGHT),
            verify=tls_context(),
            transport=self._transport,
            # A proxy from the environment cannot reach the simulated exchange on loopback.
            mounts={"all://127.0.0.1": None, "all://localhost": None},
        )
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._limiters = [
            (host, prefix, AsyncLimiter(1, LIMIT_WINDOW_SECONDS / (limit * self._rate_share)))
            for host, prefix, limit in PUBLISHED_LIMITS
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    @asynccontextmanager
    async def operation(self, seconds: float) -> AsyncIterator[None]:
        """Limit everything awaited inside, including retries and waits, to `seconds`, or raise DeadlineExceeded.

        In nested operations the earlier deadline applies.
        """
        ends_at = asyncio.get_running_loop().time() + seconds
        outer = _operation.get()
        if outer is not None and outer.ends_at <= ends_at:
            yield
            return
        operation = _Operation(seconds, ends_at)
        token = _operation.set(operation)
        timeout = asyncio.timeout_at(ends_at)
        try:
            async with timeout:
                yield
        except TimeoutError as error:
            if not timeout.expired():
                raise
            last = operation.last_failure
            history = f"; last failure: {last.reason}" if last else ""
            reason = f"no complete response within {seconds:g} s{history}"
            raise DeadlineExceeded(reason, request=operation.request) from error
        finally:
            _operation.reset(token)

    def describe(self, host: HostName, path: str, params: Params, page: int | None = None) -> Request:
        """Describe a request for errors, without the user and password that a base URL may contain."""
        return Request(str(self._url(host, path, params).copy_with(userinfo=b"")), page)

    def _url(self, host: HostName, path: str, params: Params) -> "httpx.URL":
        import httpx

        return httpx.URL(getattr(self.hosts, host) + path, params=httpx.QueryParams(list(params)))

    async def get_json(
        self,
        host: HostName,
        path: str,
        params: Params,
        decode: Callable[[bytes], T],
        page: int | None = None,
        *,
        post: bytes | None = None,
    ) -> T:
        """GET `path` of `host` and return `decode(body)`. `page` is used in errors only.

        With `post`, a JSON body, it is a POST that only reads, so that it is retried like a GET.

        `decode` is usually `msgspec.json.Decoder(SomeType).decode`; use `msgspec.Raw` for raw JSON. Retries a body that
        is not JSON, but not JSON of the wrong shape (`msgspec.ValidationError`). The age of the answer counts in
        `answer_age()`. Raises RequestRefused, ServerUnavailable, Intercepted, UnexpectedBody or DeadlineExceeded.
        """
        operation = _operation.get()
        if operation is None:
            async with self.operation(self._deadline):
                return await self.get_json(host, path, params, decode, page, post=post)

        url = self._url(host, path, params)
        request = replace(self.describe(host, path, params, page), method="GET" if post is None else "POST")
        limiters = [own for name, prefix, own in self._limiters if name == host and path.startswith(prefix)]
        attempts = 0

        async def attempt() -> T:
            nonlocal attempts
            attempts += 1
            self.traffic.retries += attempts > 1
            operation.request = request
            async with self._slots:
                for limiter in limiters:
                    await limiter.acquire()
                return await self._once(url, request, decode, post)

        def wait(state: tenacity.RetryCallState) -> float:
            failure = operation.last_failure = _failure(state)
            return max(self._wait(state), failure.retry_after or 0.0)

        def stop(state: tenacity.RetryCallState) -> bool:
            if attempts >= self._attempts:
                return True
            left = operation.ends_at - asyncio.get_running_loop().time()
            if state.upcoming_sleep < left:
                return False
            failure = _failure(state)
            raise DeadlineExceeded(
                f"{failure.reason}; the next attempt is due in {state.upcoming_sleep:.1f} s, but only "
                f"{max(left, 0):.1f} s of {operation.seconds:g} s are left",
                request=request,
                status=failure.status,
                body=failure.body.encode(),
                retry_after=failure.retry_after,
            ) from failure

        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(lambda e: isinstance(e, PolymarketError) and e.transient),
            wait=wait,
            stop=stop,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            answer: T = await retrying(attempt)
        except PolymarketError as error:
            error.set_attempts(attempts)
            raise
        return answer

    async def _once(self, url: "httpx.URL", request: Request, decode: Callable[[bytes], T], post: bytes | None) -> T:
        """Send one request; returns the decoded body or raises a typed error, `transient` if it may be retried."""
        import httpx

        self.traffic.requests += 1
        handshake = Handshake()
        headers = {} if post is None else {"Content-Type": "application/json"}
        traced = {"trace": handshake.trace}
        try:
            async with self._client.stream(
                request.method, url, content=post, headers=headers, extensions=traced
            ) as response:
                body = await self._read(response, request)
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            raise RequestRefused(f"cannot be sent: {error}", request=request) from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            if blocked := interrupted(error, handshake, url.host, request):
                raise blocked from error
            detail = f"{type(error).__name__} {error}".strip()
            raise ServerUnavailable(detail, request=request, transient=True) from error

        status = response.status_code
        self._keep(announcements_of(response))
        if intercepted := interception(response, body, request):
            raise intercepted
        if status in RETRIED or status >= 500:
            raise ServerUnavailable(
                f"HTTP {status}",
                request=request,
                status=status,
                body=body,
                retry_after=retry_after(response.headers.get("retry-after"), body),
                transient=True,
            )
        if status != 200:
            hint = "this network or region seems to be blocked; use another one" if status == 403 else None
            raise RequestRefused(f"HTTP {status}", request=request, status=status, body=body, hint=hint)
        try:
            decoded = decode(body)
        except msgspec.ValidationError as error:
            raise UnexpectedBody(f"JSON of the wrong shape: {error}", request=request, status=status, body=body) from error
        except (ValueError, RecursionError) as error:
            reason = f"truncated or invalid JSON ({len(body)} bytes): {error}"
            raise UnexpectedBody(reason, request=request, status=status, body=body, transient=True) from error
        note_age(age_of(response.headers))
        return decoded

    def _keep(self, found: Sequence[Announcement]) -> None:
        for one in found:
            key = (one.host, one.path, one.header)
            if key in self.announcements or len(self.announcements) < MAX_ANNOUNCEMENTS:
                self.announcements[key] = one

    async def _read(self, response: "httpx.Response", request: Request) -> bytes:
        """Read the whole decoded body. A body shorter than announced raises httpx.RemoteProtocolError."""
        chunks: list[bytes] = []
        size = 0
        try:
            async for chunk in response.aiter_bytes():
                chunks.append(chunk)
                size += len(chunk)
                if size > MAX_BODY_BYTES:
                    reason = f"the body is larger than {MAX_BODY_BYTES} bytes"
                    raise UnexpectedBody(reason, request=request, status=response.status_code, body=chunks[0])
        finally:
            self.traffic.bytes += size
            self.traffic.wire_bytes += response.num_bytes_downloaded
        return b"".join(chunks)


def run(http: PolymarketHttp, work: Callable[[PolymarketHttp], Awaitable[T]]) -> T:
    """Open `http`, run `work(http)` and close it. For synchronous callers."""

    async def opened() -> T:
        async with http:
            return await work(http)

    return asyncio.run(opened())


def _failure(state: tenacity.RetryCallState) -> PolymarketError:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, PolymarketError):
        raise AssertionError("only PolymarketErrors are retried")
    return error
