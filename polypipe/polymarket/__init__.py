"""Client for Polymarket's public APIs: HTTP, typed rows, complete crawls. Imports neither dagster nor DuckDB.

    positions = run(PolymarketHttp(), lambda http: fetch_positions(http, wallet))

Every function returns complete data or raises a `PolymarketError`.
"""

from polypipe.polymarket.activity import walk_activity
from polypipe.polymarket.answer_age import AnswerAge, answer_age
from polypipe.polymarket.data_api import fetch_standing, fetch_value
from polypipe.polymarket.errors import (
    CrawlIncomplete,
    DeadlineExceeded,
    Intercepted,
    PolymarketError,
    Request,
    RequestRefused,
    ServerUnavailable,
    UnexpectedBody,
)
from polypipe.polymarket.gamma import UNIVERSE_TAGS, CrawlReport, crawl_live, crawl_universe
from polypipe.polymarket.headers import Announcement
from polypipe.polymarket.http import Hosts, PolymarketHttp, run
from polypipe.polymarket.models import Event, FeeSchedule, Market, RowProblem
from polypipe.polymarket.positions import fetch_positions
from polypipe.polymarket.user_pnl import fetch_pnl, fetch_pnl_history, interval_covering
from polypipe.polymarket.wallet_models import (
    Activity,
    ActivityReport,
    HistoryPoint,
    PnlHistory,
    PnlPoint,
    Position,
    Standing,
)
from polypipe.polymarket.wallet_wire import wallet_address

__all__ = [
    "UNIVERSE_TAGS",
    "Activity",
    "ActivityReport",
    "Announcement",
    "AnswerAge",
    "CrawlIncomplete",
    "CrawlReport",
    "DeadlineExceeded",
    "Event",
    "FeeSchedule",
    "HistoryPoint",
    "Hosts",
    "Intercepted",
    "Market",
    "PnlHistory",
    "PnlPoint",
    "PolymarketError",
    "PolymarketHttp",
    "Position",
    "Request",
    "RequestRefused",
    "RowProblem",
    "ServerUnavailable",
    "Standing",
    "UnexpectedBody",
    "answer_age",
    "crawl_live",
    "crawl_universe",
    "fetch_pnl",
    "fetch_pnl_history",
    "fetch_positions",
    "fetch_standing",
    "fetch_value",
    "interval_covering",
    "run",
    "walk_activity",
    "wallet_address",
]
