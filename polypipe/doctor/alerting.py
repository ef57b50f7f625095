"""Check of the alerts: whether the channels work, and whether the user's rules are in force."""

from collections.abc import Iterator

from polypipe.alerts.deliveries import failing_channels
from polypipe.alerts.rules import FILE, load_rules
from polypipe.alerts.store import read_state, state_path
from polypipe.doctor.inputs import Inputs
from polypipe.doctor.result import Result, ok, skipped, warning
from polypipe.text import count


def check_alerts(inputs: Inputs) -> Iterator[Result]:
    """The channels as of the last send, and `alerts.toml`. Sends nothing."""
    home = inputs.settings.home
    if fault := load_rules(inputs.settings).error:
        yield warning("alert rules", fault, f"the last valid rules stay in force until {home / FILE} is corrected")
    channels = len(inputs.settings.alert_urls)
    if not channels:
        yield skipped("alert channels", "no alert channels configured; set POLYPIPE_ALERT_URLS")
        return
    state, damaged = read_state(home, inputs.now)
    failing = failing_channels(state)
    if damaged is not None:
        yield warning(
            "alert channels",
            f"{state_path(home)} cannot be read: {damaged}",
            "the next tick starts with an empty state: alerts that are firing now are sent once more",
        )
    elif failing:
        yield warning(
            "alert channels",
            f"{len(failing)} of {count(channels, 'channel')} failed at the last try; their messages are pending",
            "polypipe alert test shows what each channel answers",
            failing,
        )
    else:
        yield ok("alert channels", f"{count(channels, 'channel')}, none failed at the last try")
