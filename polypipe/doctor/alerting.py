"""Check of the alerts: whether anybody hears them, and whether the user's rules are in force."""

from collections.abc import Iterator

from polypipe.alerts.deliveries import failing_channels
from polypipe.alerts.rules import FILE, load_rules
from polypipe.alerts.store import book_path, read_book
from polypipe.doctor.inputs import Facts
from polypipe.doctor.result import Result, ok, skipped, warning
from polypipe.text import count


def check_alerts(facts: Facts) -> Iterator[Result]:
    """The channels as the last sending found them, and `alerts.toml`. Nothing is sent."""
    home = facts.settings.home
    if fault := load_rules(home).error:
        yield warning("alert rules", fault, f"the last good rules stay in force until {home / FILE} is corrected")
    channels = len(facts.settings.alert_urls)
    if not channels:
        yield skipped("alert channels", "POLYPIPE_ALERT_URLS is not set: alerts are judged and sent nowhere")
        return
    book, damaged = read_book(home, facts.now)
    failing = failing_channels(book)
    if damaged is not None:
        yield warning(
            "alert channels",
            f"{book_path(home)} cannot be read: {damaged}",
            "it is begun anew at the next tick: alerts that are firing now are told once more",
        )
    elif failing:
        yield warning(
            "alert channels",
            f"{len(failing)} of {count(channels, 'channel')} failed at the last try; their messages wait",
            "polypipe alert test tells what each answers now",
            failing,
        )
    else:
        yield ok("alert channels", f"{count(channels, 'channel')}, none failed at the last try")
