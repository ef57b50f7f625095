"""The conditions of copying that are told within minutes: what the whale did and the copier did not. Pure, like
`conditions.py`. Those that are known by the day are in `quality.py`.

A quiet market fires nothing: every condition rests on something that the whale, the bot or the wallets did. Inputs that are
older than they should be make a condition unknown.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from polypipe.alerts.rules import Rule
from polypipe.attribution.fills import Fill
from polypipe.attribution.orders import BEFORE
from polypipe.divergence.copy_rule import FLOOR_SHARES, MINIMUM_USD
from polypipe.health.facts import Logged, Situation
from polypipe.health.finding import NO_WALLETS, Observation, Reading, when
from polypipe.health.newest_fills import WINDOW
from polypipe.health.pipeline import Condition
from polypipe.text import duration, money, plain

SNAPSHOT_AGE = timedelta(minutes=10)
POSITIONS_AGE = timedelta(minutes=20)
"""Snapshots come every minute, positions every five: older ones are not the present."""

SETTLING = timedelta(seconds=60)
"""How long after the end of its time a copy may still be on its way into the exchange's listing."""

TWO_TICKS = timedelta(seconds=120)

BOT_DELAY = timedelta(seconds=90)
"""The bot writes its line up to 20 s after the whale's fill, and a fill is listed some seconds after its block."""

NO_LOG = "there is no log of the bot in POLYPIPE_BOT_DIR, and never was"

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
"""Outcomes in the bot's log that are failures; what it skips by its own rules is none."""


def missed_copy(situation: Situation, rule: Rule) -> Reading:
    """The whale's fills of one token and side, worth so much together, without any fill of the copier in time.

    Judged are fills that the bot copies by its rule: of 10 shares and more, worth its minimum order at the ratio, and sales
    only of what the copier held then. Fills of a whale's order that comes in pieces count together.
    """
    if situation.wallets is None:
        return Reading("missed_copy", unknown=NO_WALLETS)
    if situation.look is None:
        return Reading("missed_copy", unknown=situation.look_failed or "the wallets were not looked at")
    look, now, limit = situation.look, situation.now, rule.limit("usd")
    reach = timedelta(seconds=rule.limit("seconds"))
    first, last = now - WINDOW, now - reach - SETTLING
    seen_since = max(look.whale.since, look.copier.since + timedelta(seconds=BEFORE))
    held = _holdings(situation, look.copier.fills)
    missed: dict[tuple[str, str], list[Fill]] = defaultdict(list)
    for fill in look.whale.fills:
        at = _moment(fill.t)
        if not max(first, seen_since) <= at <= last or not _copied_by_rule(fill, situation.wallets.ratio, held):
            continue
        low, high = fill.t - BEFORE, fill.t + reach.total_seconds()
        if not any(c.token == fill.token and c.side == fill.side and low <= c.t <= high for c in look.copier.fills):
            missed[fill.token, fill.side].append(fill)
    words = {(line.transaction, line.token): _word(line) for line in situation.log.lines}
    found = []
    for (token, side), fills in missed.items():
        worth = sum(fill.shares * fill.price for fill in fills)
        if worth < limit:
            continue
        shares, one = sum(fill.shares for fill in fills), fills[-1]
        said = next((word for fill in fills if (word := words.get((fill.transaction, token)))), None)
        text = (
            f"Whale {'bought' if side == 'BUY' else 'sold'} {money(worth)} of {_name(one.title, one.outcome)}: "
            f"{shares:,.0f} shares at {worth / shares:.2f}, {_moment(fills[0].t):%H:%M:%S} UTC; "
            f"no copy within {duration(reach)}" + (f"; the bot's log: {said}" if said else "")
        )
        found.append(Observation(f"{token} {side}", "firing", text, worth, limit))
    # Each fill is judged by the first tick after its time is over. A listing that does not reach back to the tick before
    # leaves some that nobody ever judged: then what is not firing is not known to be over.
    unknown = None
    if seen_since > last - TWO_TICKS:
        unknown = f"the listing reaches back to {seen_since:%H:%M:%S} UTC only"
    elif held is None and any(fill.side == "SELL" and first <= _moment(fill.t) <= last for fill in look.whale.fills):
        unknown = "sales cannot be judged: there is no fresh comparison of positions"
    return Reading("missed_copy", found, unknown)


def uncopied_exit(situation: Situation, rule: Rule) -> Reading:
    """The copier still holds what the whale has left. How long it must last is the rule's hold time."""
    return _positions(
        "uncopied_exit",
        situation,
        rule,
        "orphan",
        lambda name, worth, since: f"The copier holds {worth} of {name}, which the whale left{since}",
    )


def unredeemed(situation: Situation, rule: Rule) -> Reading:
    """Positions in decided markets that are worth something and were not redeemed."""
    return _positions(
        "unredeemed", situation, rule, "resolved", lambda name, worth, since: f"{worth} of {name} can be redeemed"
    )


def bot_silent(situation: Situation, rule: Rule) -> Reading:
    """The whale traded so often since the bot's log last grew. Without a log, now or ever, there is nothing to compare."""
    log, look = situation.log, situation.look
    if situation.wallets is None:
        return Reading("bot_silent", unknown=NO_WALLETS)
    if not log.known:
        return Reading("bot_silent", unknown=NO_LOG)
    if look is None:
        return Reading("bot_silent", unknown=situation.look_failed or "the wallets were not looked at")
    limit = rule.limit("fills")
    quiet_since = log.written_at or max((line.at for line in log.lines), default=situation.now - WINDOW)
    fills = [fill for fill in look.whale.fills if quiet_since < _moment(fill.t) <= situation.now - BOT_DELAY]
    silence = duration(situation.now - quiet_since)
    text = f"The whale traded {len(fills)} times, and the bot's log has not grown for {silence}: is the bot running?"
    if len(fills) < limit and look.whale.since > quiet_since:
        return Reading("bot_silent", unknown="the listing does not reach back to the log's last line")
    return Reading("bot_silent", [Observation("", when(len(fills) >= limit), text, len(fills), limit)])


def failure_burst(situation: Situation, rule: Rule) -> Reading:
    """One reason so often in so many minutes, as the bot's log has it."""
    log = situation.log
    if not log.known:
        return Reading("failure_burst", unknown=NO_LOG)
    if not log.read:
        return Reading("failure_burst", unknown="the bot's log waits to be read")
    limit, since = rule.limit("count"), situation.now - timedelta(minutes=rule.limit("minutes"))
    failed: dict[str, list[Logged]] = defaultdict(list)
    for line in log.lines:
        if line.at >= since and line.outcome in FAILURES and "FAK" not in line.reason:  # nobody to trade with: no failure
            failed[_word(line)].append(line)
    return Reading(
        "failure_burst",
        [
            Observation(
                code,
                when(len(lines) >= limit),
                f"{code} {len(lines)} times in {rule.limit('minutes'):g} min; last: {plain(lines[-1].reason, 120) or '-'}",
                len(lines),
                limit,
            )
            for code, lines in sorted(failed.items())
        ],
    )


def daily_loss(situation: Situation, rule: Rule) -> Reading:
    """The copier's PnL of 24 hours in the newest snapshot."""
    if situation.wallets is None:
        return Reading("daily_loss", unknown=NO_WALLETS)
    snapshot = situation.snapshot
    if snapshot is None or situation.now - snapshot.time > SNAPSHOT_AGE:
        return Reading("daily_loss", unknown="there is no fresh snapshot")
    if snapshot.pnl is None:
        return Reading("daily_loss", unknown=f"PnL is unknown: {plain(snapshot.reasons.get('user1_pnl', ''), 120)}")
    limit = money_limit(rule, snapshot.value)
    text = f"The copier's PnL of the last 24 h is {money(snapshot.pnl)}; limit {money(-limit)}"
    return Reading("daily_loss", [Observation("", when(snapshot.pnl <= -limit), text, snapshot.pnl, -limit)])


def money_limit(rule: Rule, capital: float | None) -> float:
    """The USD of the rule, or its percentage of the capital where that is known and more."""
    return max(rule.limit("usd"), rule.limit("percent") / 100 * (capital or 0.0))


COPYING: tuple[Condition, ...] = (
    missed_copy,
    uncopied_exit,
    bot_silent,
    failure_burst,
    daily_loss,
    unredeemed,
)


def _moment(t: float) -> datetime:
    return datetime.fromtimestamp(t, UTC)


def _name(title: str, outcome: str) -> str:
    return f'"{plain(title) or "a market without a title"}" ({plain(outcome, 30) or "?"})'


Holdings = Callable[[str, float], float]
"""Shares that the copier held of a token just before an instant (epoch seconds)."""


def _copied_by_rule(fill: Fill, ratio: float, held: Holdings | None) -> bool:
    if fill.shares < FLOOR_SHARES or ratio * fill.shares * fill.price < MINIMUM_USD:
        return False
    if fill.side == "BUY":
        return True
    # What is worth less than the minimum order cannot be sold.
    return held is not None and held(fill.token, fill.t) * fill.price >= MINIMUM_USD


def _holdings(situation: Situation, fills: Sequence[Fill]) -> Holdings | None:
    """From the newest comparison of positions and the copier's fills around it; None without a fresh comparison. A whale
    that sells in pieces is copied until the copier has nothing left, and the comparison may still show what it had."""
    positions = situation.positions
    if positions is None or situation.now - positions.compared_at > POSITIONS_AGE:
        return None
    compared = {row.token: row.copier_shares for row in positions.rows}
    at = positions.compared_at.timestamp()

    def held(token: str, t: float) -> float:
        own = [fill for fill in fills if fill.token == token]
        since = sum(fill.sign * fill.shares for fill in own if at < fill.t < t)
        return compared.get(token, 0.0) + since - sum(fill.sign * fill.shares for fill in own if t <= fill.t <= at)

    return held


def _word(line: Logged) -> str:
    return f"{line.outcome} {line.http_status}" if line.outcome == "REJECTED" and line.http_status else line.outcome


def _positions(
    condition: str, situation: Situation, rule: Rule, status: str, tell: Callable[[str, str, str], str]
) -> Reading:
    if situation.wallets is None:
        return Reading(condition, unknown=NO_WALLETS)
    positions, limit = situation.positions, rule.limit("usd")
    if positions is None or situation.now - positions.compared_at > POSITIONS_AGE:
        return Reading(condition, unknown="there is no fresh comparison of positions")
    found = []
    for row in positions.rows:
        if row.status != status:
            continue
        worth = row.usd
        if worth is None:
            found.append(Observation(row.token, "unknown", f"{_name(row.title, row.outcome)} has no price"))
            continue
        out = row.whale_out_since
        since = f" {duration(situation.now - out)} ago" if out is not None else ""
        text = tell(_name(row.title, row.outcome), money(worth), since)
        found.append(Observation(row.token, when(worth >= limit), text, worth, limit))
    return Reading(condition, found)
