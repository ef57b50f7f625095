"""The conditions of the pipeline: firing, clear, unknown."""

from datetime import timedelta

import pytest

from polypipe.health import pipeline as conditions
from polypipe.health.facts import Crawl, Failing, File, Snapshot
from polypipe_tests.alerts.support import MINUTE, NOW, rule, seen, situation

HOUR = 60 * MINUTE


@pytest.mark.parametrize(
    ("kind", "condition"),
    [("job", conditions.run_failed), ("sensor", conditions.tick_failing), ("schedule", conditions.tick_failing)],
)
def test_a_minute_job_may_fail_twice_a_daily_one_never(kind, condition):
    def judged(pace, failures):
        here = situation(failing=[Failing(kind, "x", pace, failures, "no answer")])
        return seen(condition(here, rule(condition.__name__)))

    assert judged("minute", 0) == judged("minute", 2) == judged("daily", 0) == {"x": "clear"}
    assert judged("minute", 3) == judged("daily", 1) == {"x": "firing"}
    other = conditions.tick_failing if kind == "job" else conditions.run_failed
    assert seen(other(situation(failing=[Failing(kind, "x", "daily", 9)]), rule(other.__name__))) == {}


def test_the_error_of_a_run_is_told_harmlessly():
    here = situation(failing=[Failing("job", "crawl", "minute", 3, "bad\n\x1b[31m<b>[x](http://evil)</b> @everyone")])
    (one,) = conditions.run_failed(here, rule("run_failed")).observations
    assert one.text == "Job crawl has failed 3 times in a row: bad (31m‹b›(x)(http: //evil)‹/b› ＠everyone"


def crawl(kind="universe", incomplete=0, error="", age=MINUTE, dropped=0):
    return Crawl(kind, incomplete, error, None if age is None else NOW - age, dropped)


def test_crawls_incomplete_and_rate_limited():
    here = situation(crawls=[crawl(incomplete=3, error="HTTP 429; try again"), crawl("live", incomplete=2)])
    reading = conditions.crawl_incomplete(here, rule("crawl_incomplete"))
    assert seen(reading) == {"universe": "firing", "live": "clear"}
    assert "rate limited" in reading.observations[0].text


def snapshot(age=MINUTE, reasons=None, **answered):
    return Snapshot(
        NOW - age, {name: None if at is None else NOW - at for name, at in answered.items()}, reasons or {}, 1.0, 100.0
    )


def stale(**known):
    found = seen(conditions.source_stale(situation(**{"looked_at": NOW} | known), rule("source_stale")))
    assert found.pop("fills", "clear") == "clear"
    return found


def test_a_source_that_gives_nothing():
    here = snapshot(user1_value=MINUTE, user2_value=20 * MINUTE, user1_pnl=None)
    assert stale(snapshot=here) == {
        "snapshots": "clear", "user1_value": "clear", "user2_value": "firing", "user1_pnl": "firing",
    }  # fmt: skip


def test_a_source_is_told_in_words_with_the_reason():
    reasons = {"user2_rank": "GET https://data-api/v1/leaderboard?user=0xa1: HTTP 500 after 3 attempts"}
    here = situation(snapshot=snapshot(reasons=reasons, user2_standing=20 * MINUTE), looked_at=NOW)
    told = [one.text for one in conditions.source_stale(here, rule("source_stale")).observations if one.seen == "firing"]
    assert told == [
        "Polymarket last told the whale's rank and volume 20 min ago; limit 15 min: "
        "GET https: //data-api/v1/leaderboard: HTTP 500 after 3 attempts"
    ]


def test_fills_that_cannot_be_looked_at_for_long_are_told_as_nobody_would_know_of_a_missed_copy():
    def fills(**known):
        here = situation(look_failed="HTTP 403", snapshot=snapshot(), **known)
        reading = conditions.source_stale(here, rule("source_stale"))
        return next((one for one in reading.observations if one.key == "fills"), None)

    assert fills(looked_at=NOW - 14 * MINUTE).seen == "clear"
    old = fills(looked_at=NOW - 16 * MINUTE)
    assert (old.seen, old.text) == (
        "firing", "Polymarket last told the newest fills of both wallets 16 min ago; limit 15 min: HTTP 403",
    )  # fmt: skip
    assert fills().seen == "firing"
    assert fills(watching_since=NOW - MINUTE).seen == "clear"  # just started
    assert fills(wallets=None) is None


def test_no_snapshots_at_all_are_told_once_and_their_sources_are_unknown():
    assert stale(snapshot=snapshot(20 * MINUTE, user1_value=21 * MINUTE)) == {
        "snapshots": "firing",
        "user1_value": "unknown",
    }
    assert stale() == {"snapshots": "firing"}
    assert stale(watching_since=NOW - MINUTE) == {"snapshots": "clear"}  # just started


def test_without_wallets_there_are_no_snapshots_to_miss():
    assert stale(wallets=None) == {}


def test_an_old_universe():
    assert stale(wallets=None, crawls=[crawl(age=44 * MINUTE)]) == {"universe": "clear"}
    assert stale(wallets=None, crawls=[crawl(age=46 * MINUTE)]) == {"universe": "firing"}
    assert stale(wallets=None, crawls=[crawl(age=None)]) == {"universe": "firing"}
    assert stale(wallets=None, crawls=[crawl(age=None)], watching_since=NOW - MINUTE) == {"universe": "clear"}


def test_contract_drift():
    def drift(**known):
        found = seen(conditions.contract_drift(situation(wallets=None, **known), rule("contract_drift")))
        return {key for key, value in found.items() if value == "firing"}

    shape = "JSON of the wrong shape: Object missing required field `events`"
    assert drift(versions={"v1": 10, "v2": 3}) == set()
    assert drift(versions={"v1": 10, "v3": 3}) == {"version v3"}
    assert drift(crawls=[crawl(dropped=49)]) == set()
    assert drift(crawls=[crawl(dropped=50)]) == {"rows universe"}
    assert drift(crawls=[crawl(incomplete=1, error=shape)]) == {"shape universe"}
    assert drift(crawls=[crawl(incomplete=1, error="HTTP 500")]) == set()
    here = situation(snapshot=snapshot(reasons={"user1_value": shape}))
    assert seen(conditions.contract_drift(here, rule("contract_drift"))) == {"shape snapshots": "firing"}


def test_an_api_that_is_down_is_no_recovery_of_its_contract():
    def drift(**known):
        return seen(conditions.contract_drift(situation(**known), rule("contract_drift")))

    shape = "JSON of the wrong shape: Object missing required field `events`"
    assert drift(crawls=[crawl(incomplete=1, error="HTTP 500")])["shape universe"] == "unknown"
    assert drift(crawls=[crawl()])["shape universe"] == "clear"
    assert drift(crawls=[crawl(incomplete=200, error=shape, age=None)]) == {
        "rows universe": "unknown",  # no complete crawl is known any more
        "shape universe": "firing",
    }
    down = snapshot(timedelta(0), {"user1_value": "HTTP 500"}, user1_value=MINUTE, user2_value=timedelta(0))
    assert drift(snapshot=down) == {"shape snapshots": "unknown"}
    quiet = snapshot(timedelta(0), {"user1_rank": "the wallet is not on the day's leaderboard"}, user1_value=timedelta(0))
    assert drift(snapshot=quiet) == {"shape snapshots": "clear"}


def test_a_file_refused_and_a_file_that_is_old():
    files = [
        File("fresh", HOUR, NOW - MINUTE, None),
        File("refused", HOUR, NOW - MINUTE, "it lost more than half"),
        File("old", HOUR, NOW - HOUR - MINUTE, None),
        File("never", HOUR, None, None),
    ]
    reading = conditions.file_refused(situation(files=files), rule("file_refused"))
    refused = seen(reading)
    assert reading.observations[1].text == "refused stays as it was: it lost more than half"
    old = seen(conditions.file_old(situation(files=files), rule("file_old")))
    assert refused == {"fresh": "clear", "refused": "firing", "old": "clear", "never": "clear"}
    assert old == {"fresh": "clear", "refused": "clear", "old": "firing", "never": "firing"}
    started = situation(files=files, watching_since=NOW - timedelta(minutes=59))
    assert seen(conditions.file_old(started, rule("file_old")))["never"] == "clear"


def test_little_room_on_a_disk():
    here = situation(free={"POLYPIPE_HOME": int(2.5e9), "POLYPIPE_BOT_DIR": int(1.5e9)})
    assert seen(conditions.disk_low(here, rule("disk_low"))) == {"POLYPIPE_HOME": "clear", "POLYPIPE_BOT_DIR": "firing"}


def test_mistakes_in_the_users_file_and_a_damaged_state():
    assert seen(conditions.alert_rules(situation(), rule("alert_rules"))) == {"": "clear"}
    assert seen(conditions.alert_rules(situation(rules_error="x"), rule("alert_rules"))) == {"": "firing"}
    assert seen(conditions.alert_state(situation(), rule("alert_state"))) == {"": "clear"}
    assert seen(conditions.alert_state(situation(state_error="x"), rule("alert_state"))) == {"": "firing"}
