"""Probe of days whose activity was read and is contradicted by other facts: numbers that rest on them are unknown."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

from polypipe.health.facts import Facts
from polypipe.health.finding import Finding, Probe, judged
from polypipe.health.history import DAY, due_day
from polypipe.limits import HISTORY_DAYS
from polypipe.orchestration.day_ranges import days_text
from polypipe.text import count


def unproven_days(facts: Facts) -> Iterator[Finding]:
    """Days of the last 30, by wallet, from the first day of history on."""
    if facts.wallets is None:
        return
    begin = datetime.combine(facts.settings.history_start, time(), UTC)
    first = max(begin, due_day(facts.now) - (HISTORY_DAYS - 1) * DAY)
    for who, wallet in (("copier", facts.wallets.copier), ("whale", facts.wallets.whale)):
        days = {day: why for day, why in facts.unproven_days.get(wallet, {}).items() if day >= first}
        yield judged(bool(days), who, _text(who, days), len(days), 0)


UNPROVEN_DAYS = (Probe("unproven_days", "unproven days", "warning", unproven_days),)


def _text(who: str, days: dict[datetime, str]) -> str:
    if not days:
        return f"No day of the {who} that was read is contradicted by other facts"
    newest, named = max(days), days_text(day.date() for day in days)
    return (
        f"The {who}'s activity is not known completely on {count(len(days), 'day')} ({named}), so numbers of these days "
        f"are unknown: {days[newest]}. Backfill wallet_activity for them; if they stay unknown, set POLYPIPE_HISTORY_START "
        f"to {newest + timedelta(days=1):%Y-%m-%d}"
    )
