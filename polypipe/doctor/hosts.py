"""Checks of Polymarket's hosts: do they answer, does our clock agree with theirs."""

from collections.abc import Iterator
from typing import Any

from polypipe.doctor.inputs import Facts
from polypipe.doctor.network import HOSTS, Answer, Reach
from polypipe.doctor.result import Result, error, ok, unknown, warning
from polypipe.polymarket import RequestRefused, UnexpectedBody

SLOW_SECONDS = 5.0
SKEW_SECONDS, WRONG_SECONDS = 3.0, 60.0
DRIFTED = "the API has changed: update polypipe; until then the last good files stay in place"
LATER = "run doctor again; if it stays, see what https://status.polymarket.com says"
USES = {
    "gamma": "the six files come from it",
    "data": "wallets, positions and history come from it",
    "pnl": "the PnL of both wallets comes from it",
    "clob": "polypipe does not ask it, the bot sends its orders there",
}


def check_hosts(facts: Facts) -> Iterator[Result]:
    """Each host: does it answer, how fast."""
    for name in HOSTS:
        yield judge_reach(name, facts.network.reach[name], facts.network.offline)


def judge_reach(name: str, reach: Reach, offline: bool) -> Result:
    """Any status shows that the host is there, but for those that say that it has no time or no wish."""
    where = f"{reach.url} ({USES[name]})"
    if reach.error:
        advice = "no host answers: is this machine connected, is a proxy needed (HTTPS_PROXY)?"
        return error(name, f"{where}: {reach.error}", advice if offline else LATER)
    if reach.status in (403, 451):
        advice = "this network or region seems to be blocked: try another one"
        return error(name, f"{where} refuses us: HTTP {reach.status}", advice)
    if reach.status is not None and (reach.status == 429 or reach.status >= 500):
        return warning(name, f"{where} answers HTTP {reach.status}", LATER)
    finding = f"{reach.url}: {reach.seconds * 1000:.0f} ms; {USES[name]}"
    if reach.seconds > SLOW_SECONDS:
        return warning(name, finding, "slow: we are throttled, or the line is; " + LATER)
    return ok(name, finding)


def check_clock(facts: Facts) -> Result:
    """Our clock against the hosts' `Date`; the most certain of the answers counts."""
    known = [reach.ahead for reach in facts.network.reach.values() if reach.ahead is not None]
    return judge_clock(min(known, key=lambda ahead: ahead[1]) if known else None)


def judge_clock(ahead: tuple[float, float] | None) -> Result:
    """Wrong only by what the uncertainty cannot explain."""
    if ahead is None:
        return unknown("clock", "no host has told its time")
    seconds, uncertain = ahead
    wrong = max(0.0, abs(seconds) - uncertain)
    finding = f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} Polymarket's, give or take {uncertain:.1f} s"
    if wrong <= SKEW_SECONDS:
        return ok("clock", finding)
    advice = (
        "set the clock by NTP (timedatectl set-ntp true): ages, windows and the bot's order expiry are wrong by as much"
    )
    return (error if wrong > WRONG_SECONDS else warning)("clock", finding, advice)


def failed(name: str, answer: Answer[Any], offline: bool) -> Result:
    """What an answer that did not come says of the contract: only what was refused, or cannot be read, breaks it."""
    if answer.error is None:
        return unknown(name, "not asked, because what it needs did not answer")
    if isinstance(answer.error, UnexpectedBody | RequestRefused):
        what = f"{answer.error.reason}; answer begins: {answer.error.body}" if answer.error.body else answer.error.reason
        return error(name, what, DRIFTED)
    return unknown(name, f"could not be asked: {answer.error.reason}", "" if offline else LATER)
