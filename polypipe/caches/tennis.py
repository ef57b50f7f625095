"""`.atp_token_categories.json` and `.atp_categorized.json`: the category of every tennis token in scope.

One selection in two formats, one for the bot and one for people.
"""

from polypipe.caches.categories import CATEGORIES
from polypipe.caches.formats import CATEGORIZED, TEXT_MAP, Categorized
from polypipe.caches.spec import Built, CacheSpec, Sources, Universe, stored_universe
from polypipe.settings import Settings


def _selection(settings: Settings) -> str:
    scope = "is_tennis" if settings.tennis_scope == "all" else "is_atp"
    return f"SELECT token_id, tennis_category FROM tokens WHERE {scope} ORDER BY token_id, market_id"  # noqa: S608


def _expected(settings: Settings) -> str:
    return f"SELECT token_id FROM ({_selection(settings)})"  # noqa: S608


def _categories(sources: Sources) -> tuple[dict[str, str], Universe]:
    with stored_universe(sources) as (con, universe):
        return dict(con.execute(_selection(sources.settings)).fetchall()), universe


def build_categories(sources: Sources) -> Built:
    """Token id -> category."""
    content, universe = _categories(sources)
    return Built(content, universe.crawl_id, universe.observed_at, {"category_counts": _counts(content)})


def build_categorized(sources: Sources) -> Built:
    """Token ids by category, with counts. `updated` is when the crawl started, so that equal data gives equal bytes."""
    category_of, universe = _categories(sources)
    categories: dict[str, list[str]] = {category: [] for category in CATEGORIES}
    for token_id, category in category_of.items():
        categories[category].append(token_id)
    content = Categorized(
        categories={category: sorted(ids) for category, ids in categories.items()},
        category_counts=_counts(category_of),
        source=f"{sources.settings.gamma_url}/events/keyset",
        total_tokens=len(category_of),
        updated=universe.observed_at.replace(microsecond=0).isoformat(),
    )
    return Built(content, universe.crawl_id, universe.observed_at, {"category_counts": content.category_counts})


def _counts(category_of: dict[str, str]) -> dict[str, int]:
    values = list(category_of.values())
    return {category: values.count(category) for category in CATEGORIES}


_WHO = (
    "tennis token of the men's tour (of all tennis with POLYPIPE_TENNIS_SCOPE=all). Refreshed with each crawl, every "
    "10 minutes."
)

TOKEN_CATEGORIES = CacheSpec(
    asset="atp_token_categories",
    file=".atp_token_categories.json",
    format=TEXT_MAP,
    description=f"The category of every {_WHO} The bot's tennis code loads it: membership adds a price buffer.",
    build=build_categories,
    expected=_expected,
    value_column=("category", "string"),
)

CATEGORIZED_TOKENS = CacheSpec(
    asset="atp_categorized",
    file=".atp_categorized.json",
    format=CATEGORIZED,
    description=f"Sorted ids by category of every {_WHO} For people and other tools; the bot does not read it.",
    build=build_categorized,
    expected=_expected,
    value_column=("category", "string"),
)
