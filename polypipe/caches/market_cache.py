"""`.clob_market_cache.json`: which tokens belong to neg-risk markets."""

from polypipe.caches.formats import BOOL_MAP
from polypipe.caches.spec import Built, CacheSpec, Sources, stored_universe


def build(sources: Sources) -> Built:
    """Token id -> neg-risk flag of its market."""
    with stored_universe(sources) as (con, universe):
        content = dict(con.execute("SELECT token_id, neg_risk FROM tokens ORDER BY token_id, market_id").fetchall())
    return Built(content, universe.crawl_id, universe.observed_at)


SPEC = CacheSpec(
    asset="market_cache",
    file=".clob_market_cache.json",
    format=BOOL_MAP,
    description=(
        "Whether each token of the universe is neg-risk. The bot selects the exchange contract of an order by it; a wrong "
        "value means a rejected order. Refreshed with each crawl, every 10 minutes."
    ),
    build=build,
    expected=lambda settings: "SELECT token_id FROM tokens",
    value_column=("neg_risk", "boolean"),
)
