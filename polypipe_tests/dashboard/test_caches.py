"""The state of the bot's files."""

from datetime import timedelta

from polypipe.caches.registry import CACHES
from polypipe.dashboard.api.caches import file_states
from polypipe.dashboard.context import Context
from polypipe_tests.dashboard.support import (
    all_files,
    now,
    publication,
    put_publications,
)

FIRST = CACHES[0].file


def state_of(dashboard, file=FIRST):
    return next(entry for entry in dashboard.json("/api/caches")["files"] if entry["file"] == file)


def test_files_before_their_first_publication_are_never(dashboard):
    files = dashboard.json("/api/caches")["files"]
    assert [entry["file"] for entry in files] == [spec.file for spec in CACHES]
    assert {entry["state"] for entry in files} == {"never"}
    assert {entry["entries"] for entry in files} == {None}


def test_file_has_state_last_change_and_refusals(dashboard, warehouse):
    time = now()
    put_publications(
        warehouse,
        [
            publication(FIRST, time - timedelta(minutes=3), entries=90, added=5, removed=2, changed=1),
            publication(FIRST, time - timedelta(minutes=2), entries=90, added=0, removed=0, changed=0, rewritten=False),
            publication(FIRST, time - timedelta(minutes=1), entries=10, accepted=False, rewritten=False, reason="too few"),
        ],
    )
    entry = state_of(dashboard)
    assert (entry["state"], entry["entries"]) == ("refused", 90)
    assert {name: entry["last_change"][name] for name in ("added", "removed", "changed")} == {
        "added": 5,
        "removed": 2,
        "changed": 1,
    }
    assert [(attempt["reason"], attempt["entries"]) for attempt in entry["refused"]] == [("too few", 10)]
    assert (entry["accepted_count"], entry["refused_count"], entry["rewritten_count"]) == (2, 1, 1)


def test_attempts_are_counted_over_all_days(dashboard, warehouse):
    time = now()
    put_publications(warehouse, [publication(FIRST, time - timedelta(days=n)) for n in range(4)])
    assert state_of(dashboard)["accepted_count"] == 4
    assert state_of(dashboard)["state"] == "fresh"


def test_file_older_than_its_limit_is_stale(dashboard, warehouse):
    time = now()
    put_publications(warehouse, all_files(time - max(spec.fresh_within for spec in CACHES) - timedelta(minutes=1)))
    assert {entry["state"] for entry in dashboard.json("/api/caches")["files"]} == {"stale"}


def test_bot_holds_at_least_the_attempt_of_30_minutes_ago(dashboard, warehouse, settings):
    time = now()
    put_publications(warehouse, [publication(FIRST, time - timedelta(minutes=minutes)) for minutes in (50, 40, 20, 10)])
    dashboard.store.refresh()

    def state(at):
        with dashboard.store.at_once() as view:
            return next(entry for entry in file_states(Context(settings, view), at) if entry["file"] == FIRST)

    entry = state(time)
    # The bot read at some moment of the last 30 minutes: at worst just before the attempt 20 minutes ago.
    assert entry["bot_sure_since"] == time - timedelta(minutes=40)
    assert entry["bot_observed_at"] == time - timedelta(minutes=40, seconds=20)
    assert entry["bot_is_current"] is False
    assert (
        state(time + timedelta(minutes=21))["bot_is_current"] is True
    )  # nothing has changed since the attempt that it must have read
