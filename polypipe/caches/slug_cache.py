"""`.clob_slug_cache.json`: the event slug of every token."""

from polypipe.caches.formats import TEXT_MAP
from polypipe.caches.spec import Built, CacheSpec, Sources, stored_universe


def build(sources: Sources) -> Built:
    """Token id -> slug of its event."""
    with stored_universe(sources) as (con, universe):
        content = dict(con.execute("SELECT token_id, slug FROM tokens ORDER BY token_id, market_id").fetchall())
    return Built(content, universe.crawl_id, universe.observed_at)


SPEC = CacheSpec(
    asset="slug_cache",
    file=".clob_slug_cache.json",
    format=TEXT_MAP,
    description=(
        "The event slug of every token of the universe. The bot looks up an event by it. Refreshed with each crawl, every "
        "10 minutes."
    ),
    build=build,
    expected=lambda settings: "SELECT token_id FROM tokens",
    value_column=("event_slug", "string"),
)
