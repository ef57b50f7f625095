"""The resource for requests to Polymarket; the other resources are `Settings` and `Warehouse`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from polypipe.polymarket import CrawlReport, Hosts, PolymarketHttp, run
from polypipe.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True)
class Polymarket:
    """Runs async work with a client: one client per piece of work, closed afterwards.

    `progress` is called after each page of a crawl; `client` makes the client (tests pass one that retries at once).
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
        """Open a client, await `work(client)`, close it. Raises what `work` raises."""
        return run(self.client(self.hosts), work)
