"""Requests to the four hosts for all checks, concurrently and within one deadline.

15 requests with both wallets set, each retried at most once: one to each host for reachability and clock, four to Gamma,
six to the Data API, one to user-pnl. The client's own modules decode the answers, so the contract is stated once.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from polypipe.doctor.answers import HOSTS, Answer, Network, Reach, WalletAnswers
from polypipe.doctor.reach import reach, unresolved
from polypipe.polymarket import (
    Activity,
    Hosts,
    PolymarketError,
    PolymarketHttp,
    Position,
    ServerUnavailable,
    fetch_pnl,
    fetch_standing,
    fetch_value,
    wallet_address,
)
from polypipe.polymarket.activity import ACTIVITY
from polypipe.polymarket.gamma import BASE_FILTER, LISTING
from polypipe.polymarket.http import USER_AGENT, HostName, Params, tls_context
from polypipe.polymarket.positions import POSITIONS
from polypipe.polymarket.wallet_wire import all_rows, read_activity, read_position
from polypipe.polymarket.wire import Page, decode_page
from polypipe.settings import Settings

T = TypeVar("T")

DEADLINE_SECONDS = 15.0
"""For all requests together; they run concurrently."""

LEADERBOARD = "/v1/leaderboard"
NEWEST = 500  # activities per wallet: one page


def ask_all(settings: Settings, deadline: float = DEADLINE_SECONDS) -> Network:
    """Make all requests. Returns within `deadline` seconds; network errors are part of the answers."""
    hosts = Hosts(gamma=settings.gamma_url, data=settings.data_url, pnl=settings.pnl_url, clob=settings.clob_url)
    ends_at = time.monotonic() + deadline
    urls = {name: str(getattr(hosts, name)) for name in HOSTS}
    lost = unresolved({urlsplit(url).hostname or "" for url in urls.values()}, deadline / 3)
    try:
        return asyncio.run(_ask_all(settings, hosts, urls, lost, ends_at))
    except (ImportError, ValueError, OSError) as error:  # an unusable proxy or certificates
        why = f"cannot create an HTTP client: {type(error).__name__}: {error}"
        return Network({name: Reach(url, error=why) for name, url in urls.items()})


@dataclass(frozen=True)
class _Host:
    """One host. Each has its own client, so that a host that hangs takes no connection from the others.

    `lost` says why the host is not asked, "" if it is.
    """

    http: PolymarketHttp
    ends_at: float
    lost: str

    @property
    def left(self) -> float:
        """Seconds until the deadline, at least 10 ms."""
        return max(0.01, self.ends_at - time.monotonic())

    async def ask(self, work: Callable[[PolymarketHttp], Awaitable[T]]) -> Answer[T]:
        """Do `work`; a `PolymarketError` becomes the answer."""
        if self.lost:
            return Answer(error=ServerUnavailable(self.lost))
        try:
            async with self.http.operation(self.left):
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
        network.announcements = [one for host in opened.values() for one in host.http.announcements.values()]
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
        headers={"User-Agent": USER_AGENT},
        verify=tls_context(),
        mounts={"all://127.0.0.1": None, "all://localhost": None},
    ) as client:
        reached = await asyncio.gather(*(_reach(client, urls[name], opened[name]) for name in HOSTS))
    network.reach = dict(zip(HOSTS, reached, strict=True))


async def _reach(client: httpx.AsyncClient, url: str, host: _Host) -> Reach:
    return Reach(url, error=host.lost) if host.lost else await reach(client, url, host.left)


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
        network.wallets[address] = WalletAnswers(activity, standing)

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
