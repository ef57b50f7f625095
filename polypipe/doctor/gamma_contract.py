"""Checks of the contract with Gamma, on four pages of its listing."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from polypipe.caches.categories import is_unknown_type
from polypipe.doctor.hosts import DRIFTED, failed
from polypipe.doctor.inputs import Inputs
from polypipe.doctor.result import Result, error, ok, warning
from polypipe.polymarket.gamma import MAX_DROPPED_SHARE
from polypipe.polymarket.wire import Page, UnusableTokens, WireMarket, is_traded, tag_ids_of, token_ids_of
from polypipe.text import count

PAGE_ROWS = 100
"""Rows of a full page since May 2026, whatever limit is requested."""

NAMED = 5

# Fields that every row had when the contract was written, and fields that some row of a sports page must have.
ALWAYS_OF_EVENT: dict[str, Callable[[Any], bool]] = {
    "tags": lambda event: bool(tag_ids_of(event)),
    "closed": lambda event: event.closed is not None,
    "markets": lambda event: event.markets is not None,
}
ALWAYS_OF_MARKET: dict[str, Callable[[Any], bool]] = {
    "active": lambda market: market.active is not None,
    "closed": lambda market: market.closed is not None,
    "conditionId": lambda market: market.condition_id is not None,
    "question": lambda market: market.question is not None,
}
SOMETIMES_OF_EVENT: dict[str, Callable[[Any], bool]] = {
    "seriesSlug": lambda event: event.series_slug is not None,
    "startTime": lambda event: event.start_time is not None,
}
SOMETIMES_OF_MARKET: dict[str, Callable[[Any], bool]] = {
    "sportsMarketType": lambda market: bool(market.sports_market_type),
    "negRisk": lambda market: market.neg_risk is not None,
}


def check_paging(inputs: Inputs) -> Result:
    """`/events/keyset` continues after `after_cursor`, and a full page has 100 rows."""
    network = inputs.network
    first = network.gamma["sports"]
    if first.value is None:
        return failed("gamma paging", first, network.offline)
    following = network.gamma.get("sports_next")
    if following is None:
        rows = count(len(first.value.rows), "event")
        return ok("gamma paging", f"the whole listing is one page of {rows}")
    if following.value is None:
        return failed("gamma paging", following, network.offline)
    return judge_paging(first.value, following.value)


def judge_paging(first: Page, following: Page) -> Result:
    """Consecutive pages must not overlap."""
    ids = [{str(row.event.id) for row in page.rows} for page in (first, following)]
    if ids[0] and ids[0] == ids[1]:
        return error("gamma paging", "`after_cursor` is ignored: page 2 equals page 1", DRIFTED)
    if not ids[0]:
        return error("gamma paging", "an empty page has a cursor to a next page", DRIFTED)
    if both := ids[0] & ids[1]:
        return warning("gamma paging", f"{count(len(both), 'event')} of page 1 also on page 2", DRIFTED)
    rows = len(first.rows) + len(first.unreadable)
    if rows != PAGE_ROWS:
        finding = f"`after_cursor` works; a full page has {rows} rows, not {PAGE_ROWS}: the cap has changed"
        return warning("gamma paging", finding, "nothing to do: polypipe follows the cursor, with more or fewer requests")
    return ok("gamma paging", f"`after_cursor` works; a full page has {PAGE_ROWS} rows")


def check_fields(inputs: Inputs) -> Result:
    """Events and markets have the fields that the files need."""
    network = inputs.network
    pages = [answer.value for answer in network.gamma.values() if answer.value is not None]
    if not pages:
        return failed("gamma fields", network.gamma["sports"], network.offline)
    return judge_fields(pages)


def judge_fields(pages: Sequence[Page], sports: bool = True) -> Result:
    """All required fields are present. `sports`: the pages are of sports, whose rows have additional fields."""
    events = [row.event for page in pages for row in page.rows]
    markets = [market for event in events for market in event.markets or ()]
    unreadable = [problem for page in pages for problem in page.unreadable]
    unreadable += [problem for page in pages for row in page.rows for problem in row.unreadable]
    faults: list[str] = []
    details: list[str] = []
    for rows, noun, always, sometimes in (
        (events, "event", ALWAYS_OF_EVENT, SOMETIMES_OF_EVENT),
        (markets, "market", ALWAYS_OF_MARKET, SOMETIMES_OF_MARKET),
    ):
        for name, there in always.items():
            if missing := sum(not there(row) for row in rows):
                few = missing <= MAX_DROPPED_SHARE * len(rows)
                (details if few else faults).append(f"{name} is missing on {missing} of {count(len(rows), noun)}")
        for name, there in sometimes.items():
            if sports and rows and not any(there(row) for row in rows):
                faults.append(f"{name} is missing on all of {count(len(rows), noun)}")
    if unreadable:
        first = unreadable[0]
        few = len(unreadable) <= MAX_DROPPED_SHARE * (len(events) + len(markets))
        what = f"{count(len(unreadable), 'row')} cannot be read, such as {first.kind} {first.id}: {first.reason}"
        (details if few else faults).append(what)
    traded = [market for market in markets if is_traded(market)]
    without = [reason for market in traded if (reason := unusable(market)) is not None]
    if without:
        what = f"{len(without)} of {count(len(traded), 'traded market')} have no usable token ids, such as {without[0]}"
        (details if len(without) < len(traded) / 2 else faults).append(what)
    finding = f"{count(len(events), 'event')} and {count(len(markets), 'market')} checked"
    if faults:
        return error("gamma fields", f"{finding}; {faults[0]}", DRIFTED, [*faults[1:], *details])
    return ok("gamma fields", f"{finding}: all fields are present, with the right types", details)


def unusable(market: WireMarket) -> str | None:
    """Why a market has no usable token ids; None if it has, or if its version is unknown."""
    try:
        token_ids_of(market)
    except UnusableTokens as problem:
        return None if problem.unknown_version is not None else str(problem)
    return None


def check_versions(inputs: Inputs) -> Result:
    """All values of `version` are known; it decides where a market's token ids are."""
    network = inputs.network
    pages = [answer.value for answer in network.gamma.values() if answer.value is not None]
    return judge_versions(pages) if pages else failed("market versions", network.gamma["sports"], network.offline)


def judge_versions(pages: Sequence[Page]) -> Result:
    """Reports unknown versions, whose markets are in no file."""
    versions: Counter[str] = Counter()
    new: Counter[str] = Counter()
    for market in _markets(pages):
        versions[market.version or "none"] += 1
        try:
            token_ids_of(market)
        except UnusableTokens as problem:
            if problem.unknown_version is not None:
                new[problem.unknown_version] += 1
    if new:
        named = ", ".join(f"{version!r} ({count(number, 'market')})" for version, number in new.most_common(NAMED))
        return warning(
            "market versions",
            f"unknown: {named}: these markets are in no file",
            "update polypipe; the bot may need an update too, to sign for their exchange contract",
        )
    return ok("market versions", ", ".join(f"{name} ({number})" for name, number in sorted(versions.items())) or "none")


def check_market_types(inputs: Inputs) -> Result:
    """Tennis has only known values of `sportsMarketType`; new ones have the category `other`."""
    network = inputs.network
    tennis = network.gamma["tennis"]
    return judge_types(tennis.value) if tennis.value is not None else failed("tennis types", tennis, network.offline)


def judge_types(tennis: Page) -> Result:
    """Unknown types are reported, not failed."""
    types = Counter(market.sports_market_type for market in _markets([tennis]) if market.sports_market_type)
    new = [name for name in types if is_unknown_type(name)]
    known = f"{len(types)} values of sportsMarketType on a page of tennis"
    if not new:
        return ok("tennis types", f"{known}, all known")
    named = ", ".join(sorted(new)[:NAMED])
    return ok("tennis types", f"{known}, {len(new)} of them new: {named}", ["new types have the category `other`"])


def check_live(inputs: Inputs) -> Result:
    """`live=true` is honoured, so that the live file costs two requests instead of the whole listing."""
    network = inputs.network
    live = network.gamma["live"]
    return judge_live(live.value) if live.value is not None else failed("live filter", live, network.offline)


def judge_live(live: Page) -> Result:
    """Rows that are not live prove that the filter is ignored; the file stays correct."""
    others = sum(row.event.live is not True for row in live.rows)
    if others:
        finding = f"{others} of {count(len(live.rows), 'event')} requested with live=true are not live"
        advice = "nothing to do: the live file stays correct, at the cost of the whole listing every two minutes"
        return warning("live filter", finding, advice)
    return ok("live filter", f"live=true is honoured: {count(len(live.rows), 'event')} in play on a page")


def _markets(pages: Sequence[Page]) -> Iterator[WireMarket]:
    events = (row.event for page in pages for row in page.rows)
    return chain.from_iterable(event.markets or () for event in events)
