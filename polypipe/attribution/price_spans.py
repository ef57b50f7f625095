"""Selects the prices to request from `/prices-history`: at the edges of what is accounted for together, which are midnights
and changes of the ratio, and around the whale's fills. Pure.

An edge is requested unless a quote is as new as the API's points. Prices of games move by cents a minute, and a fill
shows where a wallet traded, which can be the far side of the spread; so neither a comparison of positions from 23:55 nor a
fill is enough.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from polypipe.attribution.marks import FILL, Marks

BEFORE_EDGE = 600.0
"""Seconds before an edge in which a price is looked for first."""

BEFORE_FILL, AFTER_FILL = 60.0, 600.0
"""Seconds around a fill of the whale whose prices are kept: for delay and markouts."""

_DAY = 86_400.0

RECENT = 2 * _DAY
"""A token without holders is requested this long after its last fill: shares of opposite causes can be open in it, and the
shortfall of missing shares depends on its price. Its market is decided by then, or the price known last is kept."""

_FINE, _COARSE = 6.5 * _DAY, 59 * _DAY  # the API keeps 1-minute prices for 7 days, 5-minute ones for 60
_LONGEST = 6 * 3600.0  # span of one request
_DUST_SHARES = 1e-6


class Span(NamedTuple):
    """The time (start, end] of a token, in epoch seconds. `last_only`: only the last price in it is kept."""

    token: str
    start: float
    end: float
    last_only: bool


class Traded(NamedTuple):
    """A fill: shares are negative for a sale."""

    wallet: str
    token: str
    t: float
    shares: float


def fidelity(age: float) -> int:
    """Distance in minutes of the points that the API still has of `age` seconds ago."""
    return 1 if age < _FINE else 5 if age < _COARSE else 30


def edge_spans(fills: Iterable[Traded], marks: Marks, edges: Sequence[float], now: float) -> list[Span]:
    """The spans before `edges` of tokens that either wallet holds or traded lately and that have no recent quote.

    `fills` are of both wallets, in order of time. Each market is requested once, as its outcomes sum to 1. A requested
    edge counts as answered for the next one, so that what is requested does not depend on the number of passes.
    """
    held: dict[tuple[str, str], float] = defaultdict(float)
    traded: dict[str, float] = {}  # token -> its last fill
    requested: dict[str, float] = {}  # market -> its last requested edge
    acts, spans = list(fills), []
    n = 0
    for edge in edges:
        while n < len(acts) and acts[n].t < edge:
            held[acts[n].wallet, acts[n].token] += acts[n].shares
            traded[acts[n].token] = acts[n].t
            n += 1
        tokens = {token for (_, token), shares in held.items() if abs(shares) > _DUST_SHARES}
        for token in sorted(tokens | {token for token, t in traded.items() if t >= edge - RECENT}):
            mark, known = marks.at(token, edge), marks.known(token, edge)
            keeper = marks.opposite.get(token, token)
            if known is None or (mark is not None and mark.settled):
                continue
            if marks.must_be_over(token, max(known.t, requested.get(keeper, known.t)), edge):
                continue
            step = 60.0 * fidelity(now - edge)
            if known.source == FILL or edge - known.t > 1.5 * step:
                length = max(BEFORE_EDGE, 2 * step)
                spans.append(Span(keeper, edge - length, edge, True))
                requested[keeper] = edge
    return list(dict.fromkeys(spans))


def fill_spans(fills: Iterable[Traded], opposite: Mapping[str, str], now: float) -> list[Span]:
    """The spans around the fills of the whale, in order of time; overlapping ones of a market are joined.

    Fills so old that the API has only half-hourly prices of them are left out.
    """
    times: dict[str, list[float]] = defaultdict(list)
    for fill in fills:
        if fidelity(now - fill.t) < 30:
            times[opposite.get(fill.token, fill.token)].append(fill.t)
    spans = []
    for token, found in times.items():
        found.sort()
        first = last = found[0]
        for t in found[1:]:
            if t - BEFORE_FILL > last + AFTER_FILL:
                spans.append(Span(token, first - BEFORE_FILL, last + AFTER_FILL, False))
                first = t
            last = t
        spans.append(Span(token, first - BEFORE_FILL, last + AFTER_FILL, False))
    return sorted(spans, key=lambda span: (span.start, span.token))


def tail(span: Span, now: float) -> float:
    """Seconds before the end of a span in which a row of `price_history` shows that it was requested."""
    return 2.0 * 60 * fidelity(now - span.start)


def unanswered(spans: Iterable[Span], rows: Mapping[str, Sequence[float]], now: float) -> list[Span]:
    """The spans that are over and were not requested yet. `rows` has the times of the stored rows by token, in order."""
    found = []
    for span in spans:
        times = rows.get(span.token, ())
        n = bisect_right(times, span.end)
        if span.end <= now and not (n and times[n - 1] > span.end - tail(span, now)):
            found.append(span)
    return found


def batches(spans: Sequence[Span], most: int) -> Iterator[list[Span]]:
    """Groups of neighbouring spans with at most `most` tokens, which one request covers."""
    group: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.last_only, one.end, one.token)):
        tokens = {one.token for one in group}
        if group and (
            (len(tokens) == most and span.token not in tokens)
            or span.last_only != group[0].last_only
            or span.end - min(one.start for one in group) > max(_LONGEST, span.end - span.start)
        ):
            yield group
            group = []
        group.append(span)
    if group:
        yield group
