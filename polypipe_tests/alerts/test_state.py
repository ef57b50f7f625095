"""The state machine: one message a firing, one recovery for it, and a restart that changes nothing."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from polypipe.alerts.state import Entry, step
from polypipe.health.finding import Observation, Reading
from polypipe_tests.alerts.support import MINUTE, NOW, RULES

HOLD, COOLDOWN = 3 * MINUTE, 30 * MINUTE
RULE = replace(RULES["disk_low"], hold=HOLD, cooldown=COOLDOWN)
NAME = RULE.condition


def reading(**keys):
    """What is seen of some keys; everything else is clear."""
    return Reading(NAME, [Observation(key, seen, f"{key} is {seen}") for key, seen in keys.items()])


class Machine:
    """The state machine over time: a reading a minute."""

    def __init__(self, rule=RULE):
        self.rule, self.entries, self.now = rule, [], NOW

    def tick(self, seen=None, muted=(), audible=True, **keys):
        found = reading(**keys) if seen is None else seen
        self.entries, transitions = step(self.entries, [found], {NAME: self.rule}, muted, self.now, audible)
        self.now += MINUTE
        return [(one.kind, one.key) for one in transitions if not one.dry]


def test_it_fires_once_after_the_hold_time_and_recovers_once():
    machine = Machine()
    told = [machine.tick(a="firing") for _ in range(6)]
    assert told == [[], [], [], [("fired", "a")], [], []]
    assert machine.tick(a="clear") == [("recovered", "a")]
    assert machine.tick() == []


def test_what_ends_within_the_hold_time_is_never_told():
    machine = Machine()
    assert [machine.tick(a=seen) for seen in ("firing", "firing", "clear", "firing", "firing", "clear")] == [[]] * 6
    assert machine.entries == []


def test_a_key_that_is_not_named_any_more_is_over_unless_nothing_is_known():
    machine = Machine(replace(RULE, hold=timedelta()))
    assert machine.tick(a="firing") == [("fired", "a")]
    assert machine.tick(Reading(NAME, unknown="nobody looked")) == []
    assert machine.tick() == [("recovered", "a")]


def test_unknown_neither_fires_nor_recovers():
    machine = Machine()
    for _ in range(10):
        assert machine.tick(a="unknown") == []
    for _ in range(4):
        machine.tick(a="firing")
    for _ in range(10):
        assert machine.tick(a="unknown") == []
    assert machine.tick(a="firing") == []
    assert machine.tick(a="clear") == [("recovered", "a")]


def test_flapping_is_told_once_a_cooldown():
    machine = Machine(replace(RULE, hold=timedelta()))
    told = [kind for minute in range(61) for kind, _ in machine.tick(a="clear" if minute % 2 else "firing")]
    assert told == ["fired", "recovered"] * 2 + ["fired"]


def test_what_still_fires_when_the_cooldown_ends_is_told_then():
    machine = Machine(replace(RULE, hold=timedelta()))
    machine.tick(a="firing")
    machine.tick(a="clear")
    told = [machine.tick(a="firing") for _ in range(30)]
    assert told == [[]] * 28 + [[("fired", "a")], []]


def test_a_mute_silences_and_what_still_holds_is_told_when_it_ends():
    machine = Machine()
    for _ in range(10):
        assert machine.tick(a="firing", muted=[NAME]) == []
    assert machine.tick(a="firing") == [("fired", "a")]


def test_a_recovery_within_a_mute_is_told_when_it_ends():
    machine = Machine(replace(RULE, hold=timedelta()))
    machine.tick(a="firing")
    assert machine.tick(a="clear", muted=[NAME]) == []
    assert machine.tick(a="firing", muted=[NAME]) == []
    assert machine.tick(muted=[NAME]) == []
    assert machine.tick() == [("recovered", "a")]
    assert machine.tick() == []


def test_a_dry_run_tells_nothing_and_is_told_in_earnest_when_it_ends():
    machine = Machine(replace(RULE, hold=timedelta(), dry_run=True))
    assert machine.tick(a="firing") == []
    machine.rule = replace(machine.rule, dry_run=False)
    assert machine.tick(a="firing") == [("fired", "a")]
    machine.rule = replace(machine.rule, dry_run=True)
    assert machine.tick() == [("recovered", "a")]  # it is owed


def test_without_channels_nothing_counts_as_told():
    machine = Machine(replace(RULE, hold=timedelta()))
    assert machine.tick(a="firing", audible=False) == []
    assert machine.tick(a="firing") == [("fired", "a")]


def test_a_clock_that_was_set_back_silences_nothing():
    machine = Machine(replace(RULE, hold=timedelta()))
    machine.tick(a="firing")
    machine.tick(a="clear")
    machine.now -= timedelta(hours=5)
    told = [machine.tick(a="firing") for _ in range(31)]
    assert told.count([("fired", "a")]) == 1


def test_entries_of_a_rule_that_is_gone_are_forgotten():
    machine = Machine(replace(RULE, hold=timedelta()))
    machine.tick(a="firing")
    assert step(machine.entries, [], {}, [], machine.now) == ([], [])


KEYS = ("a", "b")
MINUTES = st.fixed_dictionaries(
    {
        "seen": st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["firing", "clear", "unknown"])),
        "unknown": st.sampled_from([None, None, None, "nobody looked"]),
        "muted": st.booleans(),
        "dry": st.sampled_from([False, False, True]),
        "minutes": st.integers(1, 40),
    }
)


def play(minutes, restart):
    """Everything told for each key as (kind, time), at the end of which all is clear, known and audible."""
    rule = replace(RULE)
    entries, now, told = [], NOW, defaultdict(list)
    calm = {"seen": {}, "unknown": None, "muted": False, "dry": False, "minutes": 1}
    for n, one in enumerate([*minutes, calm, calm]):
        observations = [Observation(key, seen, key) for key, seen in one["seen"].items()]
        found = Reading(NAME, observations, one["unknown"])
        rules = {NAME: replace(rule, dry_run=one["dry"])}
        entries, transitions = step(entries, [found], rules, [NAME] if one["muted"] else [], now)
        if restart is not None and (n + restart) % 2:
            entries = msgspec.json.decode(msgspec.json.encode(entries), type=list[Entry])
        for transition in transitions:
            if not transition.dry:
                told[transition.key].append((transition.kind, now))
        now += one["minutes"] * MINUTE
    return told, entries


@settings(max_examples=200)
@given(st.lists(MINUTES, max_size=30))
def test_every_firing_told_gets_exactly_one_recovery_and_no_two_come_within_a_cooldown(minutes):
    told, entries = play(minutes, None)
    for events in told.values():
        assert [kind for kind, _ in events] == ["fired", "recovered"] * (len(events) // 2)
        fired = [at for kind, at in events if kind == "fired"]
        assert all(later - earlier >= COOLDOWN for earlier, later in pairwise(fired))
    assert all(entry.phase == "quiet" for entry in entries)


@settings(max_examples=100)
@given(st.lists(MINUTES, max_size=30), st.integers(0, 1))
def test_a_restart_anywhere_changes_nothing(minutes, odd):
    assert play(minutes, None) == play(minutes, odd)
