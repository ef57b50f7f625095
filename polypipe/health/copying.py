"""Probes of copying that answer within minutes: what the whale did and the copier did not.

The daily ones are in `quality.py`.

A quiet market fails nothing: every probe rests on something that the whale, the bot or the wallets did. Stale inputs make
a finding unknown.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from polypipe.attribution.fills import Fill
from polypipe.attribution.orders import BEFORE
from polypipe.divergence.copy_rule import rule_of
from polypipe.health.facts import Facts
from polypipe.health.finding import NO_WALLETS, Finding, Probe, judged, unknown
from polypipe.health.names import market_name
from polypipe.health.newest_fills import WINDOW
from polypipe.health.records import LogLine, NewestFills
from polypipe.limits import POSITIONS_AGE
from polypipe.text import duration, money, plain, utc_text
from polypipe.wallets import Wallets

SETTLING = timedelta(seconds=60)
"""Time after a copy's deadline in which the exchange may still list it."""

TWO_TICKS = timedelta(seconds=120)

BOT_DELAY = timedelta(seconds=90)
"""The bot writes its line up to 20 s after the whale's fill, and the exchange lists a fill some seconds after its block."""

LISTED_WITHIN = timedelta(seconds=120)
"""Time within which the exchange lists a fill. A fill of the bot's log that is missing for longer shows a lag."""

NEXT_COMPARISON = timedelta(minutes=6)
"""Time within which positions are compared again."""

NO_LOG = "POLYPIPE_BOT_DIR has no log of the bot, and never had one"
FILLS_NOT_READ = "the newest fills were not read"

FAILURES = frozenset(
    (
        "EXEC_FAIL",
        "REJECTED",
        "CB_BLOCKED",
        "CB_BOOK_FAIL",
        "RISK_BLOCKED",
        "RISK_BOOK_FAIL",
        "QUEUE_ERR",
        "WORKER_DROPPED",
        "WORKER_TIMEOUT",
    )
)
"""Outcomes in the bot's log that are failures. Fills that it skips by its own rules are not."""


def missed_copy(facts: Facts) -> Iterator[Finding]:
    """The whale's fills of one token and side, worth the limit together, without any fill of the copier in time.

    Covers fills for which the bot's rule sends an order for certain (`Rule.certain`), and sales only of shares that the
    copier held then. Fills of a whale's order that comes in pieces count together.
    """
    if facts.wallets is None:
        yield unknown(NO_WALLETS)
        return
    if facts.fills is None:
        yield unknown(facts.fills_error or FILLS_NOT_READ)
        return
    if lag := listing_lag(facts, facts.fills):
        yield unknown(lag)
        return
    if facts.positions is not None and (elsewhere := facts.positions.notes.get("copier_fills")):
        yield unknown(elsewhere)
        return
    whale, copier, limit = facts.fills.whale, facts.fills.copier, facts.limits.number("missed_copy", "usd")
    reach = timedelta(seconds=facts.limits.number("missed_copy", "seconds"))
    first, last = facts.now - WINDOW, facts.now - reach - SETTLING
    listed_since = max(whale.since, copier.since + timedelta(seconds=BEFORE))
    held = _holdings(facts, copier.fills)
    missed: dict[tuple[str, str], list[Fill]] = defaultdict(list)
    for fill in whale.fills:
        at = _moment(fill.t)
        if not max(first, listed_since) <= at <= last or not _copied_by_rule(fill, facts.wallets, held):
            continue
        low, high = fill.t - BEFORE, fill.t + reach.total_seconds()
        if not any(c.token == fill.token and c.side == fill.side and low <= c.t <= high for c in copier.fills):
            missed[fill.token, fill.side].append(fill)
    outcomes = {(line.transaction, line.token): _outcome(line) for line in facts.log.lines}
    for (token, side), fills in missed.items():
        worth = sum(fill.shares * fill.price for fill in fills)
        if worth < limit:
            continue
        shares, one = sum(fill.shares for fill in fills), fills[-1]
        if lag := _lag_of_copies(facts, reach, token, side, fills):
            yield unknown(lag, f"{token} {side}")
            continue
        logged = next((found for fill in fills if (found := outcomes.get((fill.transaction, token)))), None)
        text = (
            f"Whale {'bought' if side == 'BUY' else 'sold'} {money(worth)} of {market_name(one.title, one.outcome)}: "
            f"{shares:,.0f} shares at {worth / shares:.2f}, {_moment(fills[0].t):%H:%M:%S} UTC; "
            f"no copy within {duration(reach)}" + (f"; the bot's log: {logged}" if logged else "")
        )
        yield Finding(f"{token} {side}", "failing", text, worth, limit)
    # Each fill is judged by the first tick after its deadline. A listing that does not reach back to the tick before may
    # leave fills that no tick judged, so "not failing" does not prove recovery.
    if listed_since > last - TWO_TICKS:
        yield unknown(f"the listing reaches back to {listed_since:%H:%M:%S} UTC only")
    elif held is None and any(fill.side == "SELL" and first <= _moment(fill.t) <= last for fill in whale.fills):
        yield unknown("sales cannot be judged: no fresh comparison of positions")


def _lag_of_copies(facts: Facts, reach: timedelta, token: str, side: str, fills: Sequence[Fill]) -> str:
    """Why the listing may lack the copies of these fills; "" if positions do not contradict that they are missing.

    A copier that holds what it should after the fills has copied them, whatever its listing shows. Without the bot's log,
    nothing else shows a lag, so the next comparison is waited for.
    """
    positions, last = facts.positions, _moment(fills[-1].t)
    if facts.wallets is None or facts.fills is None or positions is None:
        return ""
    age = facts.now - positions.compared_at
    since = fills[0].t - BEFORE
    late = any(c.token == token and c.side == side and c.t >= since for c in facts.fills.copier.fills)
    if late or age > POSITIONS_AGE:
        return ""
    row = next((row for row in positions.rows if row.token == token), None)
    if positions.compared_at > last and row and row.expected_shares is not None and row.net_shares is not None:
        still_open = (row.expected_shares - row.net_shares) * (1 if side == "BUY" else -1)
        if still_open < facts.wallets.ratio * sum(fill.shares for fill in fills) / 2:
            at = utc_text(positions.compared_at, seconds=True)
            return f"the listing of the copier's fills lags: it has no copy, but the copier held the expected size at {at}"
    if not facts.log.known and positions.compared_at < last + reach and age < NEXT_COMPARISON:
        return (
            "the listing of the copier's fills may lag: positions were not compared since, and the bot's log is not known"
        )
    return ""


def bot_silent(facts: Facts) -> Iterator[Finding]:
    """The whale's trades since the bot's log last grew. Unknown if there was never a log."""
    log = facts.log
    if facts.wallets is None:
        yield unknown(NO_WALLETS)
        return
    if not log.known:
        yield unknown(NO_LOG)
        return
    if facts.fills is None:
        yield unknown(facts.fills_error or FILLS_NOT_READ)
        return
    whale, limit = facts.fills.whale, facts.limits.number("bot_silent", "fills")
    quiet_since = log.written_at or max((line.at for line in log.lines), default=facts.now - WINDOW)
    trades = sum(quiet_since < _moment(fill.t) <= facts.now - BOT_DELAY for fill in whale.fills)
    if trades < limit and whale.since > quiet_since:
        yield unknown("the listing does not reach back to the log's last line")
        return
    if trades < limit and (lag := listing_lag(facts, facts.fills)):
        yield unknown(lag)
        return
    silence = duration(facts.now - quiet_since)
    text = f"The whale traded {trades} times, and the bot's log has not grown for {silence}: check that the bot runs"
    yield judged(trades >= limit, "", text, trades, limit)


def listing_lag(facts: Facts, fills: NewestFills) -> str:
    """Why the listed fills do not show what the wallets did, "" if nothing contradicts them.

    Judges the content, not the time of the answer: a listing may arrive now without the fills of the last hour. It is
    contradicted by what is stored, and by fills in the bot's logs that it lacks.
    """
    if facts.wallets is None:
        return ""
    for whose, wallet, listed in (
        ("whale's", facts.wallets.whale, fills.whale),
        ("copier's", facts.wallets.copier, fills.copier),
    ):
        if listed.age > SETTLING:
            return f"the listing of the {whose} fills came from a cache and is {duration(listed.age)} old"
        stored = facts.stored_activity.get(wallet)
        if stored is None:
            continue
        if listed.newest_row is None or listed.newest_row < stored:
            shown = f"its newest row is of {utc_text(listed.newest_row)}" if listed.newest_row else "it is empty"
            return f"the listing of the {whose} activity lags: {shown}, one of {utc_text(stored)} is stored"
        if listed.ends_at is not None and listed.ends_at > max(stored, facts.now - WINDOW):
            ends_at = utc_text(listed.ends_at, seconds=True)
            return f"the listing of the {whose} activity ends at {ends_at}, although older rows are stored"
    newest_copy = fills.copier.newest
    settled = [at for at in facts.log.copier_fills if at <= facts.now - LISTED_WITHIN]
    if settled and (newest_copy is None or settled[-1] > newest_copy + LISTED_WITHIN):
        listed_to = f"its newest fill of the copier is of {newest_copy:%H:%M:%S} UTC" if newest_copy else "it is empty"
        return f"the exchange's listing lags: {listed_to}, the bot's logs have one of {settled[-1]:%H:%M:%S} UTC"
    listed_transactions = {fill.transaction for fill in fills.whale.fills}
    newest = fills.whale.newest
    late = [
        line.at
        for line in facts.log.lines
        if line.transaction
        and line.transaction not in listed_transactions
        and line.at <= facts.now - LISTED_WITHIN
        and (newest is None or line.at > newest + LISTED_WITHIN)
    ]
    if not late:
        return ""
    listed_to = f"its newest whale fill is of {newest:%H:%M:%S} UTC" if newest else "it has no whale fill"
    return f"the exchange's listing lags: {listed_to}, the bot's log has one of {max(late):%H:%M:%S} UTC"


def failure_burst(facts: Facts) -> Iterator[Finding]:
    """Failures for one reason within minutes, from the bot's log."""
    log = facts.log
    if not log.known:
        yield unknown(NO_LOG)
        return
    if not log.read:
        yield unknown("the bot's log waits to be read")
        return
    limit, minutes = facts.limits.number("failure_burst", "count"), facts.limits.number("failure_burst", "minutes")
    failed: dict[str, list[LogLine]] = defaultdict(list)
    for line in log.lines:
        recent = line.at >= facts.now - timedelta(minutes=minutes)
        if recent and line.outcome in FAILURES and "FAK" not in line.reason:  # no counterparty: not a failure
            failed[_outcome(line)].append(line)
    for code, lines in sorted(failed.items()):
        text = f"{code} {len(lines)} times in {minutes:g} min; last: {plain(lines[-1].reason, 120) or '-'}"
        yield judged(len(lines) >= limit, code, text, len(lines), limit)


def daily_loss(facts: Facts) -> Iterator[Finding]:
    """The copier's PnL of 24 hours in the newest snapshot."""
    snapshot = facts.snapshot
    if facts.wallets is None:
        yield unknown(NO_WALLETS)
    elif snapshot is None or facts.now - snapshot.time > facts.limits.snapshot:
        yield unknown("no fresh snapshot")
    elif snapshot.pnl is None:
        yield unknown(f"PnL is unknown: {plain(snapshot.reasons.get('user1_pnl', ''), 120)}")
    else:
        limit = money_limit(facts, "daily_loss", snapshot.value)
        text = f"The copier's PnL of the last 24 h is {money(snapshot.pnl)}; limit {money(-limit)}"
        yield judged(snapshot.pnl <= -limit, "", text, snapshot.pnl, -limit)


def money_limit(facts: Facts, rule: str, capital: float | None) -> float:
    """The larger of the rule's USD and its percentage of the capital, where that is known."""
    percent = facts.limits.number(rule, "percent")
    return max(facts.limits.number(rule, "usd"), percent / 100 * (capital or 0.0))


COPYING = (
    Probe("missed_copy", "copying", "critical", missed_copy, "missed_copy"),
    Probe("bot_silent", "copying", "critical", bot_silent, "bot_silent"),
    Probe("failure_burst", "copying", "critical", failure_burst, "failure_burst"),
    Probe("daily_loss", "copying", "warning", daily_loss, "daily_loss"),
)


def _moment(t: float) -> datetime:
    return datetime.fromtimestamp(t, UTC)


Holdings = Callable[[str, float], float]
"""Shares that the copier held of a token just before an instant (epoch seconds)."""


def _copied_by_rule(fill: Fill, wallets: Wallets, held: Holdings | None) -> bool:
    if not rule_of(wallets.bot, wallets.ratio).certain(fill):
        return False
    if fill.side == "BUY":
        return True
    # Shares worth less than the minimum order cannot be sold.
    return held is not None and wallets.bot.orderable(held(fill.token, fill.t), fill.price)


def _holdings(facts: Facts, fills: Sequence[Fill]) -> Holdings | None:
    """From the newest comparison of positions and the copier's fills around it; None without a fresh comparison.

    A whale that sells in pieces is copied until the copier has nothing left, and the comparison may predate that.
    """
    positions = facts.positions
    if positions is None or facts.now - positions.compared_at > POSITIONS_AGE:
        return None
    compared = {row.token: row.copier_shares for row in positions.rows}
    at = positions.compared_at.timestamp()

    def held(token: str, t: float) -> float:
        own = [fill for fill in fills if fill.token == token]
        since = sum(fill.sign * fill.shares for fill in own if at < fill.t < t)
        return compared.get(token, 0.0) + since - sum(fill.sign * fill.shares for fill in own if t <= fill.t <= at)

    return held


def _outcome(line: LogLine) -> str:
    return f"{line.outcome} {line.http_status}" if line.outcome == "REJECTED" and line.http_status else line.outcome
