"""The cache files, one line each. Asset, checks, freshness, schedule and tests are derived from the spec."""

from polypipe.caches import ligue1_tokens, live_cache, market_cache, slug_cache, tennis
from polypipe.caches.spec import CacheSpec

CACHES: tuple[CacheSpec, ...] = (
    live_cache.SPEC,
    market_cache.SPEC,
    slug_cache.SPEC,
    tennis.TOKEN_CATEGORIES,
    tennis.CATEGORIZED_TOKENS,
    ligue1_tokens.SPEC,
)
