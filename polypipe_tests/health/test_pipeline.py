"""Probes of the pipeline, files, snapshots, disks and alerts: failing, ok, unknown."""

from datetime import timedelta

import pytest

from polypipe.health.records import CrawlStreak, FailureStreak, FileState, NewestSnapshot
from polypipe_tests.health.support import MINUTE, NOW, facts, run, state

HOUR = 60 * MINUTE
SOURCE_STALE = ("universe_old", "snapshot_old", "source_silent")


@pytest.mark.parametrize(
    ("kind", "probe"),
    [("job", "run_failed"), ("sensor", "tick_failing"), ("schedule", "tick_failing")],
)
def test_minute_job_may_fail_twice_and_a_daily_one_never(kind, probe):
    def judged(pace, failures):
        return state(probe, facts(failures=[FailureStreak(kind, "x", pace, failures, "no answer")]))

    assert judged("minute", 0) == judged("minute", 2) == judged("daily", 0) == {"x": "ok"}
    assert judged("minute", 3) == judged("daily", 1) == {"x": "failing"}
    other = "tick_failing" if kind == "job" else "run_failed"
    assert state(other, facts(failures=[FailureStreak(kind, "x", "daily", 9)])) == {}


def test_error_of_a_run_is_made_harmless():
    here = facts(failures=[FailureStreak("job", "crawl", "minute", 3, "bad\n\x1b[31m<b>[x](http://evil)</b> @everyone")])
    (one,) = run("run_failed", here)
    assert one.text == "Job crawl has failed 3 times in a row: bad (31m‹b›(x)(evil)‹/b› ＠everyone"


def crawl(kind="universe", incomplete=0, error="", age=MINUTE, dropped=0):
    return CrawlStreak(kind, incomplete, error, None if age is None else NOW - age, dropped)


def test_incomplete_crawls_in_a_row_fail_and_name_rate_limits():
    here = facts(crawls=[crawl(incomplete=3, error="HTTP 429; try again"), crawl("live", incomplete=2)])
    assert state("crawl_incomplete", here) == {"universe": "failing", "live": "ok"}
    assert "rate limited" in run("crawl_incomplete", here)[0].text


def snapshot(age=MINUTE, reasons=None, **answered):
    return NewestSnapshot(
        NOW - age, {name: None if at is None else NOW - at for name, at in answered.items()}, reasons or {}, 1.0, 100.0
    )


def stale(**known):
    known = facts(**known)
    return {key: found for probe in SOURCE_STALE for key, found in state(probe, known).items()}


def test_source_without_a_recent_answer_fails():
    here = snapshot(user1_value=MINUTE, user2_value=20 * MINUTE, user1_pnl=None)
    assert stale(snapshot=here) == {
        "snapshots": "ok", "user1_value": "ok", "user2_value": "failing", "user1_pnl": "failing",
    }  # fmt: skip


def test_source_is_named_in_words_with_the_reason():
    reasons = {"user2_rank": "GET https://data-api/v1/leaderboard?user=0xa1: HTTP 500 after 3 attempts"}
    here = facts(snapshot=snapshot(reasons=reasons, user2_standing=20 * MINUTE))
    assert [one.text for one in run("source_silent", here)] == [
        "Polymarket last returned the whale's rank and volume 20 min ago; limit 5 min: "
        "GET data-api/v1/leaderboard: HTTP 500 after 3 attempts"
    ]


def test_fills_unread_for_longer_than_the_limit_fail():
    def fills(**known):
        here = facts(fills_error="HTTP 403", snapshot=snapshot(), **known)
        return next(iter(run("fills_unseen", here)), None)

    assert fills(fills_at=NOW - 5 * MINUTE).state == "ok"
    old = fills(fills_at=NOW - 6 * MINUTE)
    assert (old.state, old.text) == (
        "failing", "Polymarket last returned the newest fills of both wallets 6 min ago; limit 5 min: HTTP 403",
    )  # fmt: skip
    assert fills().state == "failing"
    assert fills(since=NOW - MINUTE).state == "ok"  # just started
    assert fills(wallets=None) is None


def test_without_a_fresh_snapshot_its_sources_are_unknown():
    assert stale(snapshot=snapshot(20 * MINUTE, user1_value=21 * MINUTE)) == {
        "snapshots": "failing",
        "user1_value": "unknown",
    }
    assert stale() == {"snapshots": "failing"}
    assert stale(since=NOW - MINUTE) == {"snapshots": "ok"}  # just started


def test_without_wallets_no_snapshot_is_expected():
    assert stale(wallets=None) == {}


def test_universe_older_than_its_limit_fails():
    assert stale(wallets=None, crawls=[crawl(age=44 * MINUTE)]) == {"universe": "ok"}
    assert stale(wallets=None, crawls=[crawl(age=46 * MINUTE)]) == {"universe": "failing"}
    assert stale(wallets=None, crawls=[crawl(age=None)]) == {"universe": "failing"}
    assert stale(wallets=None, crawls=[crawl(age=None)], since=NOW - MINUTE) == {"universe": "ok"}


def test_contract_drift_names_versions_rows_and_shapes():
    def drift(**known):
        found = state("contract_drift", facts(wallets=None, **known))
        return {key for key, value in found.items() if value == "failing"}

    shape = "JSON of the wrong shape: Object missing required field `events`"
    assert drift(versions={"v1": 10, "v2": 3}) == set()
    assert drift(versions={"v1": 10, "v3": 3}) == {"version v3"}
    assert drift(crawls=[crawl(dropped=49)]) == set()
    assert drift(crawls=[crawl(dropped=50)]) == {"rows universe"}
    assert drift(crawls=[crawl(incomplete=1, error=shape)]) == {"shape universe"}
    assert drift(crawls=[crawl(incomplete=1, error="HTTP 500")]) == set()
    page = 'something between you and Polymarket answers instead of it: HTTP 200 with the page "of the wrong shape"'
    assert drift(crawls=[crawl(incomplete=1, error=page)], snapshot=snapshot(reasons={"user1_value": page})) == set()
    here = facts(snapshot=snapshot(reasons={"user1_value": shape}))
    assert state("contract_drift", here) == {"shape snapshots": "failing"}


def test_api_that_is_down_does_not_recover_its_contract():
    def drift(**known):
        return state("contract_drift", facts(**known))

    shape = "JSON of the wrong shape: Object missing required field `events`"
    assert drift(crawls=[crawl(incomplete=1, error="HTTP 500")])["shape universe"] == "unknown"
    assert drift(crawls=[crawl()])["shape universe"] == "ok"
    assert drift(crawls=[crawl(incomplete=200, error=shape, age=None)]) == {
        "rows universe": "unknown",  # no complete crawl is known any more
        "shape universe": "failing",
    }
    down = snapshot(timedelta(0), {"user1_value": "HTTP 500"}, user1_value=MINUTE, user2_value=timedelta(0))
    assert drift(snapshot=down) == {"shape snapshots": "unknown"}
    quiet = snapshot(timedelta(0), {"user1_rank": "the wallet is not on the day's leaderboard"}, user1_value=timedelta(0))
    assert drift(snapshot=quiet) == {"shape snapshots": "ok"}


def test_refused_and_stale_files_fail():
    files = [
        FileState("fresh", HOUR, NOW - MINUTE, None),
        FileState("refused", HOUR, NOW - MINUTE, "it lost more than half"),
        FileState("old", HOUR, NOW - HOUR - MINUTE, None),
        FileState("never", HOUR, None, None),
    ]
    refused, old = state("file_refused", facts(files=files)), state("file_old", facts(files=files))
    text = run("file_refused", facts(files=files))[1].text
    assert text == "refused was refused and stays as it was: it lost more than half"
    assert refused == {"fresh": "ok", "refused": "failing", "old": "ok", "never": "ok"}
    assert old == {"fresh": "ok", "refused": "ok", "old": "failing", "never": "failing"}
    assert state("file_old", facts(files=files, since=NOW - timedelta(minutes=59)))["never"] == "ok"
    assert state("file_old", facts(files=files, since=None))["never"] == "failing"


def test_disk_below_its_limit_fails():
    here = facts(free={"POLYPIPE_HOME": int(2.5e9), "POLYPIPE_BOT_DIR": int(1.5e9)})
    assert state("disk_low", here) == {"POLYPIPE_HOME": "ok", "POLYPIPE_BOT_DIR": "failing"}


def test_invalid_rules_and_a_damaged_state_fail():
    assert state("alert_rules", facts()) == {"": "ok"}
    assert state("alert_rules", facts(rules_error="x")) == {"": "failing"}
    assert state("alert_state", facts()) == {"": "ok"}
    assert state("alert_state", facts(state_error="x")) == {"": "failing"}
