"""Probes of the comparison of both wallets' positions."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from polypipe.divergence.position_summary import MORE_RESOLVED
from polypipe.health.ages import aged
from polypipe.health.facts import Facts
from polypipe.health.finding import NO_WALLETS, Finding, Probe, judged, unknown
from polypipe.health.names import market_name
from polypipe.limits import POSITIONS_AGE
from polypipe.text import count, duration, money

LISTED_LATE = timedelta(hours=1)
"""Time within which activity that lags may still list the sale of a position that is gone."""


def positions_old(facts: Facts) -> Iterator[Finding]:
    """The newest comparison of the pair."""
    if facts.wallets is not None:
        what, never = "The positions were last compared", "The positions were never compared"
        yield aged(facts, "positions", what, never, facts.compared_at, POSITIONS_AGE)


def orphans(facts: Facts) -> Iterator[Finding]:
    """Positions that the whale has left and the copier still holds, whatever they are worth."""
    positions = facts.positions
    if positions is None:
        yield judged(True, "", "The positions were never compared")
        return
    rows = [row for row in positions.rows if row.status == "orphan"]
    prices = [row.usd for row in rows]
    worth = "unknown" if None in prices else money(sum(price or 0.0 for price in prices))
    yield judged(bool(rows), "", f"{count(len(rows), 'orphan')}, worth {worth}", len(rows), 0)


def uncopied_exit(facts: Facts) -> Iterator[Finding]:
    """Positions that the copier still holds and the whale has left. The rule's hold says for how long they may last."""
    return _worth(
        facts,
        "uncopied_exit",
        "orphan",
        lambda n, usd, since: f"The copier holds {usd} of {n}, which the whale left{since}",
    )


def unredeemed(facts: Facts) -> Iterator[Finding]:
    """Positions in decided markets that are worth something and were not redeemed.

    Where the copier holds more of them than are read, a token without a finding is unknown.
    """
    yield from _worth(facts, "unredeemed", "resolved", lambda name, usd, since: f"{usd} of {name} can be redeemed")
    if facts.positions is not None and (more := facts.positions.notes.get(f"copier{MORE_RESOLVED}")):
        yield unknown(more)


def _worth(facts: Facts, rule: str, status: str, sentence: Callable[[str, str, str], str]) -> Iterator[Finding]:
    if facts.wallets is None:
        yield unknown(NO_WALLETS)
        return
    positions, limit = facts.positions, facts.limits.number(rule, "usd")
    if positions is None or facts.now - positions.compared_at > POSITIONS_AGE:
        yield unknown("no fresh comparison of positions")
        return
    for row in positions.rows:
        if status == "orphan" and row.status == "unknown" and row.net_shares:
            yield unknown(f"{market_name(row.title, row.outcome)}: {row.reason}", row.token)
        if (
            status == "orphan"
            and row.status == "moved"
            and row.whale_out_since
            and facts.now - row.whale_out_since < LISTED_LATE
        ):
            name = market_name(row.title, row.outcome)
            yield unknown(f"{name} left the whale's address without a trade; a sale may still be listed", row.token)
        if row.status != status:
            continue
        name, worth, out = market_name(row.title, row.outcome), row.usd, row.whale_out_since
        if worth is None:
            yield unknown(f"{name} has no price", row.token)
            continue
        since = f" {duration(facts.now - out)} ago" if out is not None else ""
        yield judged(worth >= limit, row.token, sentence(name, money(worth), since), worth, limit)


_UNMATCHED = ("copier", "whale", "copier_fills", "whale_fills")
"""Notes of a comparison that say that fills and positions of an address do not match."""


def addresses(facts: Facts) -> Iterator[Finding]:
    """Whether each wallet's address has both the fills and the positions."""
    positions = facts.positions
    if facts.wallets is None:
        yield unknown(NO_WALLETS)
    elif positions is None:
        yield unknown("no comparison of positions")
    else:
        notes = [Finding(key, "failing", positions.notes[key]) for key in _UNMATCHED if key in positions.notes]
        yield from notes
        if "unchecked" in positions.notes:
            yield unknown(positions.notes["unchecked"])
        elif not notes:
            yield judged(False, "", "Fills and positions of both addresses match")


def exits_agree(facts: Facts) -> Iterator[Finding]:
    """Tokens of which the comparison of positions and the attribution of the gap say different things.

    The attribution is as of the end of its newest day, so the comparison may know more: an exit that has become something
    that can follow from one (sold, resolved, bought again, dust) agrees. The alerts use the statuses of the comparison.
    """
    positions, exits = facts.positions, facts.exits
    if facts.wallets is None:
        yield unknown(NO_WALLETS)
        return
    if positions is None or exits is None:
        yield unknown("nothing to compare: no comparison of positions, or no attributed day")
        return
    wrong = []
    for row in positions.rows:
        name, out = market_name(row.title, row.outcome), row.whale_out_since
        if row.token in exits.tokens and row.status in ("manual", "moved", "converted"):
            wrong.append(
                Finding(row.token, "failing", f"{name} is {row.status} in positions and an uncopied exit in the gap")
            )
        known = out is not None and exits.fills_from is not None and exits.fills_from <= out < exits.ends_at
        if known and row.status == "orphan" and row.token not in exits.tokens:
            wrong.append(Finding(row.token, "failing", f"{name} is an orphan in positions and no uncopied exit in the gap"))
    yield from wrong
    if not wrong:
        yield judged(False, "", f"Positions and {count(len(exits.tokens), 'uncopied exit')} in the gap agree")


POSITIONS = (
    Probe("positions_old", "positions", "critical", positions_old),
    Probe("orphans", "held positions", "warning", orphans),
    Probe("addresses", "addresses", "warning", addresses),
    Probe("exits_agree", "held positions", "warning", exits_agree),
    Probe("uncopied_exit", "copying", "critical", uncopied_exit, "uncopied_exit"),
    Probe("unredeemed", "copying", "warning", unredeemed, "unredeemed"),
)
