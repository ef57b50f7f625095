"""The sources of a snapshot: value, hourly PnL and standing of both wallets, requested at once.

A source that fails becomes a `Fact` without a value; the others are not affected.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from polypipe.clock import Clock, utc_now
from polypipe.divergence.pnl_gap import Series
from polypipe.facts import Fact
from polypipe.polymarket import PolymarketError, PolymarketHttp, answer_age
from polypipe.polymarket.data_api import fetch_standing, fetch_value
from polypipe.polymarket.user_pnl import fetch_pnl
from polypipe.polymarket.wallet_models import Standing

T = TypeVar("T")
N = TypeVar("N", int, float)

DEADLINE_SECONDS = 20.0
"""Limit of each source, retries included. All start together, so it limits the whole fetch."""

PATHS = {"value": "/value", "pnl": "/user-pnl", "standing": "/v1/leaderboard"}
"""Source -> the path that it reads."""

SOURCES = tuple(PATHS)


@dataclass(frozen=True)
class WalletFacts:
    """One wallet's answers: value of its positions (USD, no cash), cumulative hourly PnL (USD), the day's standing."""

    value: Fact[float]
    pnl: Fact[Series]
    standing: Fact[Standing]
    ages: Mapping[str, timedelta] = field(default_factory=dict)
    """Source -> how long a cache had held its answer when that arrived."""

    @property
    def rank(self) -> Fact[int]:
        """Rank on the day's leaderboard."""
        return self._listed(lambda standing: standing.rank)

    @property
    def volume(self) -> Fact[float]:
        """USD traded today, from the leaderboard."""
        return self._listed(lambda standing: standing.volume)

    def _listed(self, pick: Callable[[Standing], N | None]) -> Fact[N]:
        if self.standing.value is None:
            return Fact.unknown(self.standing.reason or "unknown")
        picked = pick(self.standing.value)
        return Fact.unknown("the wallet is not on the day's leaderboard") if picked is None else Fact(picked)


@dataclass(frozen=True)
class Fetched:
    """The answers of both wallets. `time` is when the last one arrived or the deadline passed (UTC).

    `announced`: source -> what the API announced about its path.
    """

    time: datetime
    copier: WalletFacts
    whale: WalletFacts
    announced: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def facts(self) -> dict[str, Fact[float] | Fact[Series] | Fact[Standing]]:
        """All six by name: `user1_value`, `user1_pnl`, `user1_standing`, `user2_...`; user1 is the copier."""
        return {
            f"user{number}_{source}": getattr(wallet, source)
            for number, wallet in enumerate((self.copier, self.whale), start=1)
            for source in SOURCES
        }

    def ages(self) -> dict[str, timedelta]:
        """The age of each answer at its arrival, by the names of `facts`; absent if no cache sent it."""
        return {
            f"user{number}_{source}": age
            for number, wallet in enumerate((self.copier, self.whale), start=1)
            for source, age in wallet.ages.items()
        }

    @property
    def no_answer(self) -> bool:
        """True if no source of either wallet answered."""
        return all(fact.value is None for fact in self.facts().values())


async def fetch(
    http: PolymarketHttp, copier: str, whale: str, clock: Clock = utc_now, seconds: float | None = None
) -> Fetched:
    """Ask all six sources at once, each for at most `seconds` (20 by default). Never raises `PolymarketError`."""
    seconds = DEADLINE_SECONDS if seconds is None else seconds
    wallets = await asyncio.gather(_wallet(http, copier, seconds), _wallet(http, whale, seconds))
    announced: dict[str, list[str]] = {}
    for one in http.announcements.values():
        for source, path in PATHS.items():
            if one.path.endswith(path):
                announced.setdefault(source, []).append(str(one))
    return Fetched(clock(), *wallets, announced)


def answered_at(fetched: Fetched, before: Mapping[str, datetime]) -> dict[str, datetime]:
    """When each source last gave a usable answer, by the age of the answer: now, else as in `before`, else absent.

    The age of a source is `fetched.time` minus this.
    """
    ages = fetched.ages()
    return {
        name: fetched.time - ages.get(name, timedelta()) if fact.value is not None else before[name]
        for name, fact in fetched.facts().items()
        if fact.value is not None or name in before
    }


async def _wallet(http: PolymarketHttp, address: str, seconds: float) -> WalletFacts:
    (value, value_age), (pnl, pnl_age), (standing, standing_age) = await asyncio.gather(
        _ask(http, seconds, lambda: fetch_value(http, address), "the API does not know this wallet"),
        _ask(http, seconds, lambda: _series(http, address), "the answer was empty"),
        _ask(http, seconds, lambda: _standing(http, address), "the answer was empty"),
    )
    ages = zip(SOURCES, (value_age, pnl_age, standing_age), strict=True)
    return WalletFacts(value, pnl, standing, {name: age for name, age in ages if age})


async def _series(http: PolymarketHttp, address: str) -> Series:
    return {point.t: point.p for point in await fetch_pnl(http, address, "1d", "1h")}


async def _standing(http: PolymarketHttp, address: str) -> Standing:
    """A wallet that is not on the leaderboard has a standing without values."""
    return await fetch_standing(http, address) or Standing(rank=None, volume=None, pnl=None, user_name=None)


async def _ask(
    http: PolymarketHttp, seconds: float, asking: Callable[[], Awaitable[T | None]], if_none: str
) -> tuple[Fact[T], timedelta]:
    """Await one source within its own deadline, so that a slow one does not fail the others; also the answer's age."""
    with answer_age() as age:
        try:
            async with http.operation(seconds):
                answer = await asking()
        except PolymarketError as error:
            return Fact.unknown(str(error)), timedelta()
    return Fact.unknown(if_none) if answer is None else Fact(answer), age.length
