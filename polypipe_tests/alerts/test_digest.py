"""The daily digest: when it is due, and how known and unknown numbers read."""

from datetime import UTC, date, datetime, time, timedelta

from polypipe.alerts.digest import compose_digest, due_digest
from polypipe.alerts.rules import DigestRule
from polypipe.alerts.state import Alert
from polypipe.health.records import FailureStreak
from polypipe_tests.alerts.support import NOW, RULES, WALLETS
from polypipe_tests.attribution.tables import insert
from polypipe_tests.health.support import facts

RULE = DigestRule(at=time(0, 40))
DAY = date(2026, 11, 22)
START = datetime(2026, 11, 22, tzinfo=UTC)
OURS = {"user1_address": WALLETS.copier, "user2_address": WALLETS.whale}


def at(hour, minute, day=23):
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def test_digest_is_due_once_a_day_and_late_rather_than_never():
    digested, day = due_digest(None, RULE, at(12, 0))
    assert (digested, day) == ("2026-11-22", None)  # just installed
    assert due_digest(digested, RULE, at(0, 39, 24)) == (digested, None)
    assert due_digest(digested, RULE, at(0, 40, 24)) == ("2026-11-23", date(2026, 11, 23))
    assert due_digest("2026-11-23", RULE, at(0, 41, 24)) == ("2026-11-23", None)
    assert due_digest("2026-11-20", RULE, at(15, 0, 24)) == ("2026-11-23", date(2026, 11, 23))  # after an outage: one
    assert due_digest("2026-11-23", RULE, at(12, 0, 23)) == ("2026-11-23", None)  # the clock was set back
    assert due_digest("2027-11-23", RULE, at(12, 0, 23)) == ("2026-11-22", None)  # the clock was a year ahead


def test_unknown_numbers_say_so(con):
    message = compose_digest(facts(con=con), DAY, [], RULES)
    assert message.title == "digest of 2026-11-22 (UTC)"
    assert message.body.splitlines() == [
        "PnL and gap: unknown (the day is not computed yet)",
        "Fills: unknown (the day is not computed yet)",
        "Exits not copied: unknown (no comparison of positions is stored)",
        "Crawls: 0, 0 incomplete; publications refused: 0",
        "Failing now: nothing",
        "Alerts in force: none",
    ]
    assert "PnL" not in compose_digest(facts(con=con, wallets=None), DAY, [], RULES).body


def test_digest_has_money_causes_fills_and_health(con):
    common = {"hours_covered": 24, "recorded_days": 1, "source": "recorded"}
    insert(
        con, "copy_quality_daily", day=START, window_days=1, copier_pnl=-12.0, whale_pnl=50.0, expected_pnl=5.0, gap=None,
        reasons='{"gap": "one hour is missing"}', **common, **OURS,
    )  # fmt: skip
    insert(
        con,
        "copy_quality_daily",
        day=START,
        window_days=7,
        gap=-80.0,
        gap_low=-150.0,
        gap_high=-10.0,
        reasons="{}",
        **common,
        **OURS,
    )
    names = (
        "missed_small missed_probability missed_disabled missed_breaker missed_unfilled missed_unknown excess own "
        "uncopied_exits fees copier_income whale_income expected_usd uncopied_exit_usd"
    )
    parts = dict.fromkeys(names.split(), 0.0)
    counts = dict.fromkeys(("uncopied_exit_tokens", "open_tokens", "stale_tokens"), 0)
    insert(
        con, "gap_attribution", day=START, ratio=0.1, slippage=-9.0, missed_error=-11.0, unexplained=3.0, notes="{}",
        reasons="{}", **parts, **counts, **OURS,
    )  # fmt: skip
    insert(
        con, "copy_metrics_daily", day=START, window_days=1, days_known=1, eligible_fills=10, copied_fills=8,
        copy_rate=80.0, reasons="{}", **OURS,
        funnel='{"copied": {"fills": 8, "usd": 900.0}, "error": {"fills": 2, "usd": 120.0}}',
    )  # fmt: skip
    for n, complete in enumerate((True, False)):
        insert(
            con, "crawls", crawl_id=str(n), kind="live", finished_at=START + timedelta(hours=1), complete=complete
        )  # fmt: skip
    alert = Alert(rule="disk_low", key="x", phase="firing", since=NOW, text="x", sent="sent")
    here = facts(con=con, failures=[FailureStreak("job", "crawl", "minute", 1)])
    assert compose_digest(here, DAY, [alert, alert], RULES).body.splitlines() == [
        "PnL: copier -$12.00, whale $50.00, expected $5.00",
        "Gap: unknown (one hour is missing); 7 days: -$80.00 (95 %: -$150.00 to -$10.00, behind the ratio)",
        "Causes: missed error -$11.00, slippage -$9.00, unexplained $3.00",
        "Fills: 8 of 10 eligible ones copied (80 %)",
        "Not copied in full: error 2 ($120.00)",
        "Exits not copied: unknown (no comparison of positions is stored)",
        "Crawls: 2, 1 incomplete; publications refused: 0",
        "Failing now: crawl",
        "Alerts in force: The disk is nearly full (2)",
    ]
