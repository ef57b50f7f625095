"""The state machine: one message a firing, one recovery for it, and a restart that changes nothing."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from polypipe.alerts.state import Alert, step
from polypipe.health.finding import EVERY_KEY, Finding, unknown
from polypipe_tests.alerts.support import MINUTE, NOW, RULES

HOLD, COOLDOWN = 3 * MINUTE, 30 * MINUTE
RULE = replace(RULES["disk_low"], hold=HOLD, cooldown=COOLDOWN)
NAME = RULE.name


def findings(**keys):
    """Findings about some keys; every other key is ok."""
    return [Finding(key, state, f"{key} is {state}") for key, state in keys.items()]


class Machine:
    """The state machine over time: one round of findings a minute."""

    def __init__(self, rule=RULE):
        self.rule, self.alerts, self.now = rule, [], NOW

    def tick(self, found=None, muted=(), audible=True, **keys):
        found = findings(**keys) if found is None else found
        self.alerts, transitions = step(self.alerts, {NAME: found}, {NAME: self.rule}, muted, self.now, audible)
        self.now += MINUTE
        return [(one.kind, one.key) for one in transitions if not one.dry]


def test_alert_fires_once_after_its_hold_and_recovers_once():
    machine = Machine()
    sent = [machine.tick(a="failing") for _ in range(6)]
    assert sent == [[], [], [], [("fired", "a")], [], []]
    assert machine.tick(a="ok") == [("recovered", "a")]
    assert machine.tick() == []


def test_alert_shorter_than_its_hold_is_never_sent():
    machine = Machine()
    assert [machine.tick(a=state) for state in ("failing", "failing", "ok", "failing", "failing", "ok")] == [[]] * 6
    assert machine.alerts == []


def test_key_without_a_finding_recovers_unless_the_rule_is_unknown():
    machine = Machine(replace(RULE, hold=timedelta()))
    assert machine.tick(a="failing") == [("fired", "a")]
    assert machine.tick([unknown("the exchange is down")]) == []
    assert machine.tick() == [("recovered", "a")]


def test_unknown_neither_fires_nor_recovers():
    machine = Machine()
    for _ in range(10):
        assert machine.tick(a="unknown") == []
    for _ in range(4):
        machine.tick(a="failing")
    for _ in range(10):
        assert machine.tick(a="unknown") == []
    assert machine.tick(a="failing") == []
    assert machine.tick(a="ok") == [("recovered", "a")]


def test_flapping_is_sent_once_a_cooldown():
    machine = Machine(replace(RULE, hold=timedelta()))
    sent = [kind for minute in range(61) for kind, _ in machine.tick(a="ok" if minute % 2 else "failing")]
    assert sent == ["fired", "recovered"] * 2 + ["fired"]


def test_alert_still_firing_after_the_cooldown_is_sent_then():
    machine = Machine(replace(RULE, hold=timedelta()))
    machine.tick(a="failing")
    machine.tick(a="ok")
    sent = [machine.tick(a="failing") for _ in range(30)]
    assert sent == [[]] * 28 + [[("fired", "a")], []]


def test_alert_still_firing_when_its_mute_ends_is_sent_then():
    machine = Machine()
    for _ in range(10):
        assert machine.tick(a="failing", muted=[NAME]) == []
    assert machine.tick(a="failing") == [("fired", "a")]


def test_recovery_within_a_mute_is_sent_when_it_ends():
    machine = Machine(replace(RULE, hold=timedelta()))
    machine.tick(a="failing")
    assert machine.tick(a="ok", muted=[NAME]) == []
    assert machine.tick(a="failing", muted=[NAME]) == []
    assert machine.tick(muted=[NAME]) == []
    assert machine.tick() == [("recovered", "a")]
    assert machine.tick() == []


def test_dry_run_sends_nothing_until_it_ends():
    machine = Machine(replace(RULE, hold=timedelta(), dry_run=True))
    assert machine.tick(a="failing") == []
    machine.rule = replace(machine.rule, dry_run=False)
    assert machine.tick(a="failing") == [("fired", "a")]
    machine.rule = replace(machine.rule, dry_run=True)
    assert machine.tick() == [("recovered", "a")]  # it is owed


def test_without_channels_nothing_counts_as_sent():
    machine = Machine(replace(RULE, hold=timedelta()))
    assert machine.tick(a="failing", audible=False) == []
    assert machine.tick(a="failing") == [("fired", "a")]


def test_clock_set_back_silences_nothing():
    machine = Machine(replace(RULE, hold=timedelta()))
    machine.tick(a="failing")
    machine.tick(a="ok")
    machine.now -= timedelta(hours=5)
    sent = [machine.tick(a="failing") for _ in range(31)]
    assert sent.count([("fired", "a")]) == 1


def test_alerts_of_a_removed_rule_are_dropped():
    machine = Machine(replace(RULE, hold=timedelta()))
    machine.tick(a="failing")
    assert step(machine.alerts, {}, {}, [], machine.now) == ([], [])


KEYS = ("a", "b")
MINUTES = st.fixed_dictionaries(
    {
        "seen": st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["failing", "ok", "unknown"])),
        "unknown": st.sampled_from([None, None, None, "the exchange is down"]),
        "muted": st.booleans(),
        "dry": st.sampled_from([False, False, True]),
        "minutes": st.integers(1, 40),
    }
)


def play(minutes, restart):
    """Everything sent for each key as (kind, time); at the end everything is ok, known and audible."""
    rule = replace(RULE)
    alerts, now, sent = [], NOW, defaultdict(list)
    calm = {"seen": {}, "unknown": None, "muted": False, "dry": False, "minutes": 1}
    for n, one in enumerate([*minutes, calm, calm]):
        found = [Finding(key, state, key) for key, state in one["seen"].items()]
        found += [] if one["unknown"] is None else [Finding(EVERY_KEY, "unknown", one["unknown"])]
        rules = {NAME: replace(rule, dry_run=one["dry"])}
        alerts, transitions = step(alerts, {NAME: found}, rules, [NAME] if one["muted"] else [], now)
        if restart is not None and (n + restart) % 2:
            alerts = msgspec.json.decode(msgspec.json.encode(alerts), type=list[Alert])
        for transition in transitions:
            if not transition.dry:
                sent[transition.key].append((transition.kind, now))
        now += one["minutes"] * MINUTE
    return sent, alerts


@settings(max_examples=200)
@given(st.lists(MINUTES, max_size=30))
def test_every_alert_sent_gets_exactly_one_recovery_and_no_two_within_a_cooldown(minutes):
    sent, alerts = play(minutes, None)
    for events in sent.values():
        assert [kind for kind, _ in events] == ["fired", "recovered"] * (len(events) // 2)
        fired = [at for kind, at in events if kind == "fired"]
        assert all(later - earlier >= COOLDOWN for earlier, later in pairwise(fired))
    assert all(alert.phase == "quiet" for alert in alerts)


@settings(max_examples=100)
@given(st.lists(MINUTES, max_size=30), st.integers(0, 1))
def test_restart_at_any_time_changes_nothing(minutes, odd):
    assert play(minutes, None) == play(minutes, odd)
