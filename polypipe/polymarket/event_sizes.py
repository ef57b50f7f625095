"""The number of outcomes of neg-risk events, by slug: open or closed, whether the crawl lists them or not."""

from collections.abc import Iterable

import msgspec

from polypipe.polymarket.gamma import LISTING
from polypipe.polymarket.http import Params, PolymarketHttp

SLUGS_AT_ONCE = 20
"""An event with its markets can take 200 kB."""


class _Market(msgspec.Struct, rename="camel"):
    neg_risk: bool | None = None


class _Event(msgspec.Struct, rename="camel"):
    slug: str
    neg_risk: bool | None = None
    markets: list[_Market] | None = None


class _Events(msgspec.Struct):
    events: list[_Event]


async def fetch_outcomes(http: PolymarketHttp, slugs: Iterable[str], *, deadline: float = 120.0) -> dict[str, int]:
    """Slug -> number of outcomes, for those of the events that Gamma knows and that are neg-risk.

    Every market counts, also those that are closed or not traded yet: each is an outcome of which shares can exist. Takes
    one request for 20 slugs, and another for those that are not closed. Raises `PolymarketError`.
    """
    left = sorted(set(slugs))
    decoder = msgspec.json.Decoder(_Events)
    found: dict[str, int] = {}
    async with http.operation(deadline):
        for closed in ("true", "false"):
            wanted = [slug for slug in left if slug not in found]
            for n in range(0, len(wanted), SLUGS_AT_ONCE):
                some = wanted[n : n + SLUGS_AT_ONCE]
                params: Params = [
                    ("limit", "100"),
                    ("closed", closed),
                    ("version", "v1"),
                    ("version", "v2"),
                    *(("slug", slug) for slug in some),
                ]
                page = await http.get_json("gamma", LISTING, params, decoder.decode)
                # A server that ignores `slug` sends other events.
                found.update({e.slug: number for e in page.events if e.slug in some and (number := _outcomes(e))})
    return found


def _outcomes(event: _Event) -> int:
    return sum(bool(event.neg_risk if market.neg_risk is None else market.neg_risk) for market in event.markets or ())
