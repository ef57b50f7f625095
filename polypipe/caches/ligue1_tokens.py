"""`.ligue1_tokens.json`: the tokens of French Ligue 1 football."""

from polypipe.caches.formats import ID_LIST
from polypipe.caches.spec import Built, CacheSpec, Sources, stored_universe

_TOKENS = "SELECT DISTINCT token_id FROM tokens WHERE is_ligue1"


def build(sources: Sources) -> Built:
    """Sorted unique token ids of events with the Ligue 1 tag."""
    with stored_universe(sources) as (con, universe):
        content = [token_id for (token_id,) in con.execute(f"{_TOKENS} ORDER BY token_id").fetchall()]
    return Built(content, universe.crawl_id, universe.observed_at)


SPEC = CacheSpec(
    asset="ligue1_tokens",
    file=".ligue1_tokens.json",
    format=ID_LIST,
    description=(
        "Every token of a Ligue 1 event. The bot has special rules for these matches. Refreshed with each crawl, "
        "every 10 minutes."
    ),
    build=build,
    expected=lambda settings: _TOKENS,
    value_column=("ligue1", "boolean"),
)
