"""Labels that fills are grouped by: sport, league and market type of a token, and price class of a fill.

They come from the tables of the last crawl, which lists open events only. A game that is over gets the sport and league
of the games whose slug has the same first word, if these agree; otherwise `unknown`.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

UNKNOWN = "unknown"

# Gamma's tags, specific ones before general ones.
_SPORTS = {
    "864": "tennis",
    "100350": "soccer",
    "745": "basketball",
    "899": "hockey",
    "100381": "baseball",
    "64": "esports",
}

_PRICES = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)
PRICE_BUCKETS = tuple(f"{low:.2f}-{high:.2f}" for low, high in pairwise(_PRICES))
"""Price classes in USD, lowest first."""


ORDER_BOUNDS = (0, 5, 20, 50, 100, 500, 2000)
ORDER_BUCKETS = (*(f"{low:,} to {high:,}" for low, high in pairwise(ORDER_BOUNDS)), f"{ORDER_BOUNDS[-1]:,} or more")
"""Classes of the shares that the bot orders, smallest first. Their names differ from those of the whale's fills."""


@dataclass(frozen=True)
class Labels:
    """Labels of one token."""

    sport: str = UNKNOWN
    league: str = UNKNOWN
    market_type: str = UNKNOWN


@dataclass
class Catalog:
    """Labels by token, and by the first word of an event's slug."""

    tokens: dict[str, Labels] = field(default_factory=dict)
    prefixes: dict[str, Labels] = field(default_factory=dict)

    def labels(self, token: str, event_slug: str) -> Labels:
        """Labels of a token; `unknown` where they are not known."""
        return self.tokens.get(token) or self.prefixes.get(_prefix(event_slug)) or Labels()


def read_catalog(con: "duckdb.DuckDBPyConnection") -> Catalog:
    """Read the labels from the tables events, markets and tokens."""
    events: dict[str, tuple[str, str]] = {}
    by_prefix: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for event_id, slug, series, tags in con.execute("SELECT event_id, slug, series_slug, tag_ids FROM events").fetchall():
        sport = next((name for tag, name in _SPORTS.items() if tag in (tags or ())), UNKNOWN)
        events[event_id] = sport, series or UNKNOWN
        by_prefix[_prefix(slug or "")].add(events[event_id])
    catalog = Catalog()
    for token, event_id, kind in con.execute(
        "SELECT token_id, tokens.event_id, sports_market_type FROM tokens LEFT JOIN markets USING (market_id)"
    ).fetchall():
        catalog.tokens[token] = Labels(*events.get(event_id, (UNKNOWN, UNKNOWN)), kind or UNKNOWN)
    for prefix, found in by_prefix.items():
        sports, leagues = ({pair[n] for pair in found} for n in (0, 1))
        catalog.prefixes[prefix] = Labels(
            *(next(iter(names)) if len(names) == 1 else UNKNOWN for names in (sports, leagues))
        )
    return catalog


def price_bucket(price: float) -> str:
    """Class of a price in USD. A class includes its lower bound and excludes its upper one."""
    return next((name for name, high in zip(PRICE_BUCKETS, _PRICES[1:], strict=True) if price < high), PRICE_BUCKETS[-1])


def _prefix(event_slug: str) -> str:
    return event_slug.partition("-")[0]
