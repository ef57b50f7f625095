"""Asking Polymarket: everything that the checks want to know of the four hosts, at once, within one deadline.

15 requests with both wallets set, each repeated at most once: one to each host for reachability and clock, four to
Gamma, six to the Data API, one to user-pnl. The answers are decoded by the client's own modules, so that there is one
statement of the contract.
"""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Generic, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx
import msgspec

from polypipe.polymarket import (
    Activity,
    Hosts,
    PnlPoint,
    PolymarketError,
    PolymarketHttp,
    Position,
    ServerUnavailable,
    Standing,
    fetch_pnl,
    fetch_standing,
    fetch_value,
    wallet_address,
)
from polypipe.polymarket.activity import ACTIVITY
from polypipe.polymarket.data_api import POSITIONS
from polypipe.polymarket.gamma import BASE_FILTER, LISTING
from polypipe.polymarket.http import USER_AGENT, HostName, Params
from polypipe.polymarket.wallet_wire import all_rows, read_activity, read_position
from polypipe.polymarket.wire import Page, decode_page
from polypipe.settings import Settings

T = TypeVar("T")

DEADLINE_SECONDS = 15.0
"""For all requests together: they are made at the same time."""

HOSTS: tuple[HostName, ...] = ("gamma", "data", "pnl", "clob")
LEADERBOARD = "/v1/leaderboard"
NEWEST = 500  # activities of a wallet that are looked at: one page


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What came back: `value`, or `error`. Both None is an answer too, where the API does not know; `asked` is false
    for what was not asked at all."""

    value: T | None = None
    error: PolymarketError | None = None
    asked: bool = True


@dataclass(frozen=True)
class Reach:
    """Whether a host answers at all. `error` says why not ("" if it does); `status` is of whatever it answered.

    `seconds` is the time of the request with its connection. `ahead` is how far our clock is ahead of the host's and
    the uncertainty of that, in seconds; None where its `Date` says nothing.
    """

    url: str
    seconds: float = 0.0
    status: int | None = None
    error: str = ""
    ahead: tuple[float, float] | None = None


@dataclass
class Wallet:
    """What was heard of one wallet: its newest activity, newest first, and its profile (None: not known)."""

    activity: Answer[list[Activity]]
    standing: Answer[Standing | None]


@dataclass
class Network:
    """All answers. `probed` is the wallet whose value, positions and PnL were asked for: the whale's, the copier's, or
    without wallets the first of the leaderboard."""

    reach: dict[HostName, Reach] = field(default_factory=dict)
    gamma: dict[str, Answer[Page]] = field(
        default_factory=lambda: {name: Answer(asked=False) for name in ("sports", "tennis", "live")}
    )  # and sports_next, where there is a next page
    wallets: dict[str, Wallet] = field(default_factory=dict)  # by address
    probed: Answer[str] = field(default_factory=lambda: Answer(asked=False))
    value: Answer[float | None] = field(default_factory=lambda: Answer(asked=False))
    positions: Answer[list[Position]] = field(default_factory=lambda: Answer(asked=False))
    pnl: Answer[list[PnlPoint]] = field(default_factory=lambda: Answer(asked=False))

    @property
    def offline(self) -> bool:
        """No host answers."""
        return all(reach.error for reach in self.reach.values())


def ask_all(settings: Settings, deadline: float = DEADLINE_SECONDS) -> Network:
    """Ask everything; returns within `deadline` seconds, whatever the network does, and raises nothing for it."""
    hosts = Hosts(gamma=settings.gamma_url, data=settings.data_url, pnl=settings.pnl_url, clob=settings.clob_url)
    ends_at = time.monotonic() + deadline
    urls = {name: str(getattr(hosts, name)) for name in HOSTS}
    lost = unresolved({urlsplit(url).hostname or "" for url in urls.values()}, deadline / 3)
    try:
        return asyncio.run(_ask_all(settings, hosts, urls, lost, ends_at))
    except (ImportError, ValueError, OSError) as error:  # a proxy of the environment that httpx cannot use, certificates
        why = f"no client can be made: {type(error).__name__}: {error}"
        return Network({name: Reach(url, error=why) for name, url in urls.items()})


def unresolved(names: Iterable[str], seconds: float) -> dict[str, str]:
    """Why each of the names that cannot be resolved in time cannot.

    Done on threads that nobody waits for: a resolver that hangs would otherwise hold up the end of the program.
    Behind a proxy the names are the proxy's business.
    """
    if getproxies():
        return {}
    found: dict[str, str] = {}

    def resolve(name: str) -> None:
        try:
            socket.getaddrinfo(name, None)
            found[name] = ""
        except (OSError, UnicodeError) as error:
            found[name] = f"its name does not resolve: {getattr(error, 'strerror', None) or error}"

    threads = [threading.Thread(target=resolve, args=[name], daemon=True) for name in set(names)]
    for thread in threads:
        thread.start()
    ends_at = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, ends_at - time.monotonic()))
    return {name: why for name in names if (why := found.get(name, f"its name does not resolve within {seconds:.0f} s"))}


@dataclass(frozen=True)
class _Host:
    """A way to ask one host. Each has a client of its own, so that one that hangs takes no connection from the others."""

    http: PolymarketHttp
    ends_at: float
    lost: str

    async def ask(self, work: Callable[[PolymarketHttp], Awaitable[T]]) -> Answer[T]:
        """The answer, or the error that came instead."""
        if self.lost:
            return Answer(error=ServerUnavailable(self.lost))
        try:
            async with self.http.operation(max(0.01, self.ends_at - time.monotonic())):
                return Answer(await work(self.http))
        except PolymarketError as failure:
            return Answer(error=failure)


async def _ask_all(
    settings: Settings, hosts: Hosts, urls: dict[HostName, str], lost: dict[str, str], ends_at: float
) -> Network:
    network = Network()
    async with _opened(hosts, urls, lost, ends_at) as opened:
        await asyncio.gather(
            _reach_all(network, urls, opened),
            _ask_gamma(network, opened["gamma"]),
            _ask_wallets(network, settings, opened["data"], opened["pnl"]),
        )
    return network


@asynccontextmanager
async def _opened(
    hosts: Hosts, urls: dict[HostName, str], lost: dict[str, str], ends_at: float
) -> AsyncIterator[dict[HostName, _Host]]:
    async with AsyncExitStack() as stack:
        yield {
            name: _Host(
                await stack.enter_async_context(PolymarketHttp(hosts, attempts=2, backoff=0.2)),
                ends_at,
                lost.get(urlsplit(urls[name]).hostname or "", ""),
            )
            for name in HOSTS
        }


async def _reach_all(network: Network, urls: dict[HostName, str], opened: dict[HostName, _Host]) -> None:
    async with httpx.AsyncClient(
        headers={"User-Agent": USER_AGENT}, mounts={"all://127.0.0.1": None, "all://localhost": None}
    ) as client:
        reached = await asyncio.gather(*(_reach(client, urls[name], opened[name]) for name in HOSTS))
    network.reach = dict(zip(HOSTS, reached, strict=True))


async def _reach(client: httpx.AsyncClient, url: str, host: _Host) -> Reach:
    if host.lost:
        return Reach(url, error=host.lost)
    left = max(0.01, host.ends_at - time.monotonic())
    began, clock = time.monotonic(), time.time()
    try:
        async with asyncio.timeout(left), client.stream("GET", url, timeout=left) as response:
            seconds = time.monotonic() - began
    except TimeoutError:
        return Reach(url, left, error=f"no answer within {left:.0f} s")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Reach(url, time.monotonic() - began, error=f"{type(error).__name__} {error}".strip())
    fresh = response.headers.get("age", "0") == "0"  # an answer out of a cache has the date of its making
    ahead = clock_ahead(response.headers.get("date", ""), clock, clock + seconds) if fresh else None
    return Reach(url, seconds, response.status_code, ahead=ahead)


def clock_ahead(date: str, sent: float, received: float) -> tuple[float, float] | None:
    """How far our clock is ahead of the one that wrote `Date`, and the uncertainty, in seconds; None for no date.

    `sent` and `received` are epoch seconds by our clock. The header was written between them and is cut to the second.
    """
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return None
    written = (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)).timestamp()
    least, most = sent - (written + 1), received - written
    return (least + most) / 2, (most - least) / 2


async def _ask_gamma(network: Network, gamma: _Host) -> None:
    def page(*more: tuple[str, str]) -> Callable[[PolymarketHttp], Awaitable[Page]]:
        return lambda http: http.get_json("gamma", LISTING, [*BASE_FILTER, *more], partial(decode_page, number=1))

    async def both_pages() -> None:
        first = network.gamma["sports"] = await gamma.ask(page(("tag_id", "1")))
        if first.value is not None and first.value.next_cursor:
            after = ("after_cursor", first.value.next_cursor)
            network.gamma["sports_next"] = await gamma.ask(page(("tag_id", "1"), after))

    async def one(name: str, *more: tuple[str, str]) -> None:
        network.gamma[name] = await gamma.ask(page(*more))

    await asyncio.gather(both_pages(), one("tennis", ("tag_id", "864")), one("live", ("live", "true")))


async def _ask_wallets(network: Network, settings: Settings, data: _Host, pnl: _Host) -> None:
    own = [wallet for wallet in (settings.whale_address, settings.copier_address) if wallet]
    network.probed = Answer(own[0]) if own else await data.ask(_first_of_leaderboard)
    probed = network.probed.value
    if probed is None:
        return

    async def wallet(address: str) -> None:
        activity, standing = await asyncio.gather(
            data.ask(partial(_newest_activity, wallet=address)),
            data.ask(lambda http: fetch_standing(http, address, "ALL")),
        )
        network.wallets[address] = Wallet(activity, standing)

    async def values() -> None:
        network.value, network.positions, network.pnl = await asyncio.gather(
            data.ask(lambda http: fetch_value(http, probed)),
            data.ask(partial(_some_positions, wallet=probed)),
            pnl.ask(lambda http: fetch_pnl(http, probed, "1d", "1h")),
        )

    await asyncio.gather(values(), *(wallet(address) for address in dict.fromkeys([*own, probed])))


class _Standing(msgspec.Struct, rename="camel"):
    proxy_wallet: str


async def _first_of_leaderboard(http: PolymarketHttp) -> str:
    decode = msgspec.json.Decoder(list[_Standing]).decode
    rows = await http.get_json("data", LEADERBOARD, [("limit", "1"), ("timePeriod", "DAY")], decode)
    if not rows:
        raise PolymarketError("the leaderboard is empty")
    return wallet_address(rows[0].proxy_wallet)


async def _newest_activity(http: PolymarketHttp, wallet: str) -> list[Activity]:
    params: Params = [
        ("user", wallet),
        ("limit", str(NEWEST)),
        ("sortBy", "TIMESTAMP"),
        ("sortDirection", "DESC"),
    ]
    return await http.get_json("data", ACTIVITY, params, lambda body: all_rows(body, partial(read_activity, wallet=wallet)))


async def _some_positions(http: PolymarketHttp, wallet: str) -> list[Position]:
    params: Params = [("user", wallet), ("sizeThreshold", "0.1"), ("limit", "50"), ("sortBy", "TITLE")]
    return await http.get_json(
        "data", POSITIONS, params, lambda body: all_rows(body, partial(read_position, wallet=wallet))
    )
