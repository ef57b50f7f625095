"""Probes of the comparison of both wallets' positions."""

from collections.abc import Callable, Iterator

from polypipe.health.ages import aged
from polypipe.health.facts import Facts
from polypipe.health.finding import NO_WALLETS, Finding, Probe, judged, unknown
from polypipe.health.names import market_name
from polypipe.limits import POSITIONS_AGE
from polypipe.text import duration, money


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
    yield judged(bool(rows), "", f"{len(rows)} orphans, worth {worth}", len(rows), 0)


def uncopied_exit(facts: Facts) -> Iterator[Finding]:
    """Positions that the copier still holds and the whale has left. The rule's hold says for how long they may last."""
    return _worth(
        facts,
        "uncopied_exit",
        "orphan",
        lambda n, usd, since: f"The copier holds {usd} of {n}, which the whale left{since}",
    )


def unredeemed(facts: Facts) -> Iterator[Finding]:
    """Positions in decided markets that are worth something and were not redeemed."""
    return _worth(facts, "unredeemed", "resolved", lambda name, usd, since: f"{usd} of {name} can be redeemed")


def _worth(facts: Facts, rule: str, status: str, sentence: Callable[[str, str, str], str]) -> Iterator[Finding]:
    if facts.wallets is None:
        yield unknown(NO_WALLETS)
        return
    positions, limit = facts.positions, facts.limits.number(rule, "usd")
    if positions is None or facts.now - positions.compared_at > POSITIONS_AGE:
        yield unknown("no fresh comparison of positions")
        return
    for row in positions.rows:
        if row.status != status:
            continue
        name, worth, out = market_name(row.title, row.outcome), row.usd, row.whale_out_since
        if worth is None:
            yield unknown(f"{name} has no price", row.token)
            continue
        since = f" {duration(facts.now - out)} ago" if out is not None else ""
        yield judged(worth >= limit, row.token, sentence(name, money(worth), since), worth, limit)


POSITIONS = (
    Probe("positions_old", "positions", "critical", positions_old),
    Probe("orphans", "held positions", "warning", orphans),
    Probe("uncopied_exit", "copying", "critical", uncopied_exit, "uncopied_exit"),
    Probe("unredeemed", "copying", "warning", unredeemed, "unredeemed"),
)
