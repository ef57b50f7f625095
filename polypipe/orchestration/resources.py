"""What assets are given to work with, apart from `Settings` and `Warehouse`: no arithmetic, no Dagster definitions."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from polypipe.polymarket import CrawlReport, Hosts, PolymarketHttp, run
from polypipe.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True)
class Polymarket:
    """The way from code that is not async to the client: one client a piece of work, closed after it.

    `progress` is told of each page of a crawl; `client` makes the client (tests hand in one that retries at once).
    """

    hosts: Hosts
    progress: Callable[[CrawlReport], None] | None = None
    client: Callable[[Hosts], PolymarketHttp] = PolymarketHttp

    @classmethod
    def of(cls, settings: Settings, progress: Callable[[CrawlReport], None] | None = None) -> "Polymarket":
        """For the hosts of the settings."""
        hosts = Hosts(gamma=settings.gamma_url, data=settings.data_url, pnl=settings.pnl_url, clob=settings.clob_url)
        return cls(hosts, progress)

    def run(self, work: Callable[[PolymarketHttp], Awaitable[T]]) -> T:
        """Open a client, await `work(client)`, close it. Raises what the work raises."""
        return run(self.client(self.hosts), work)
