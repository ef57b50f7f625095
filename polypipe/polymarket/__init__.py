"""The client of Polymarket's public APIs: HTTP, typed rows, complete crawls. It knows neither Dagster nor DuckDB."""

from polypipe.polymarket.errors import (
    Asked,
    CrawlIncomplete,
    DeadlineExceeded,
    PolymarketError,
    RequestRefused,
    ServerUnavailable,
    UnexpectedBody,
)
from polypipe.polymarket.gamma import UNIVERSE_TAGS, CrawlReport, crawl_live, crawl_universe
from polypipe.polymarket.http import Hosts, PolymarketHttp, run
from polypipe.polymarket.models import Event, Market, RowProblem

__all__ = [
    "UNIVERSE_TAGS",
    "Asked",
    "CrawlIncomplete",
    "CrawlReport",
    "DeadlineExceeded",
    "Event",
    "Hosts",
    "Market",
    "PolymarketError",
    "PolymarketHttp",
    "RequestRefused",
    "RowProblem",
    "ServerUnavailable",
    "UnexpectedBody",
    "crawl_live",
    "crawl_universe",
    "run",
]
