"""Checks of Polymarket's hosts: reachability, latency, and our clock against theirs."""

from collections.abc import Iterator
from typing import Any

from polypipe.doctor.answers import HOSTS, Answer, Reach
from polypipe.doctor.inputs import Inputs
from polypipe.doctor.result import Result, error, ok, unknown, warning
from polypipe.polymarket import Intercepted, RequestRefused, UnexpectedBody

SLOW_SECONDS = 5.0
SKEW_SECONDS, WRONG_SECONDS = 3.0, 60.0
DRIFTED = "the API has changed: update polypipe; until then the last valid files stay in place"
LATER = "run doctor again; if it persists, see https://status.polymarket.com"
USES = {
    "gamma": "source of the six files",
    "data": "source of wallets, positions and history",
    "pnl": "source of both wallets' PnL",
    "clob": "not used by polypipe; the bot sends its orders there",
}


def check_hosts(inputs: Inputs) -> Iterator[Result]:
    """Each host answers, and how fast."""
    for name in HOSTS:
        yield judge_reach(name, inputs.network.reach[name], inputs.network.offline)


def judge_reach(name: str, reach: Reach, offline: bool) -> Result:
    """Any status proves that the host is up, except those that say it is overloaded or refuses us."""
    where = f"{reach.url} ({USES[name]})"
    if reach.blocked:
        return error(name, f"{where}: {reach.error}", Intercepted.default_hint)
    if reach.error:
        advice = "no host answers: check the connection, and whether a proxy is needed (HTTPS_PROXY)"
        return error(name, f"{where}: {reach.error}", advice if offline else LATER)
    if reach.status in (403, 451):
        advice = "this network or region may be blocked: try another one"
        return error(name, f"{where} refuses us: HTTP {reach.status}", advice)
    if reach.status is not None and (reach.status == 429 or reach.status >= 500):
        return warning(name, f"{where} answers HTTP {reach.status}", LATER)
    finding = f"{reach.url}: {reach.seconds * 1000:.0f} ms; {USES[name]}"
    if reach.seconds > SLOW_SECONDS:
        return warning(name, finding, "throttled, or a slow connection; " + LATER)
    return ok(name, finding)


def check_announcements(inputs: Inputs) -> Iterator[Result]:
    """What the hosts announce in the headers `Deprecation`, `Sunset` and `Warning: 299`, one line each."""
    found = inputs.network.announcements
    for one in found:
        yield warning("announcements", str(one), "polypipe will need an update before this path ends: look for a newer one")
    if not found and not inputs.network.offline:
        yield ok("announcements", "no path that polypipe reads is announced as deprecated")
    elif not found:
        yield unknown("announcements", "no host answers")


def check_clock(inputs: Inputs) -> Result:
    """Our clock against the hosts' `Date`; the answer with the least uncertainty counts."""
    known = [reach.ahead for reach in inputs.network.reach.values() if reach.ahead is not None]
    return judge_clock(min(known, key=lambda ahead: ahead[1]) if known else None)


def judge_clock(ahead: tuple[float, float] | None) -> Result:
    """Only a difference beyond the uncertainty counts."""
    if ahead is None:
        return unknown("clock", "no host sent a usable Date header")
    seconds, uncertain = ahead
    wrong = max(0.0, abs(seconds) - uncertain)
    finding = f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} Polymarket's, give or take {uncertain:.1f} s"
    if wrong <= SKEW_SECONDS:
        return ok("clock", finding)
    advice = (
        "set the clock by NTP (timedatectl set-ntp true): ages, windows and the bot's order expiry are off by that amount"
    )
    return (error if wrong > WRONG_SECONDS else warning)("clock", finding, advice)


def failed(name: str, answer: Answer[Any], offline: bool) -> Result:
    """The result for a failed request: only a refusal or an unreadable body breaks the contract."""
    if answer.error is None:
        return unknown(name, "not asked: a request before it failed")
    if isinstance(answer.error, Intercepted):
        return error(name, answer.error.reason, answer.error.hint or "")
    if isinstance(answer.error, UnexpectedBody | RequestRefused):
        what = f"{answer.error.reason}; answer begins: {answer.error.body}" if answer.error.body else answer.error.reason
        return error(name, what, DRIFTED)
    return unknown(name, f"no answer: {answer.error.reason}", "" if offline else LATER)
