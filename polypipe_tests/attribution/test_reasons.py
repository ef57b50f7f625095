"""Status, reason, rule, labels and intervals, by hand."""

from datetime import date
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.attribution.fills import Match
from polypipe.attribution.intervals import (
    rate_interval,
    ratio_interval,
    student,
    total_interval,
    verdict,
    why_no_interval,
    wilson,
)
from polypipe.attribution.labels import Labels, price_bucket, read_catalog
from polypipe.attribution.reasons import REASONS, FillStatus, LoggedFill, fill_status
from polypipe.bot.order_status import OUTCOMES
from polypipe.divergence.copy_rule import Rule
from polypipe_tests.attribution.support import fill
from polypipe_tests.attribution.tables import insert


def verdict_of(shares, copied=None, price=0.5, side="BUY", held=1000.0, logged=None):
    copies = (fill(5, copied, price, side),) if copied else ()
    whale = fill(0, shares, price, side)
    return fill_status(Match(whale, copies), Rule(0.1).expected(whale), held, logged)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (verdict_of(1000, 100), FillStatus("copied")),
        (verdict_of(1000, 99.2), FillStatus("copied")),
        (verdict_of(1000, 150), FillStatus("copied")),
        (verdict_of(5000, 500), FillStatus("partial", "unfilled", "inferred")),  # 625 by the tier
        (verdict_of(1000, 60), FillStatus("partial", "unfilled", "inferred")),
        (verdict_of(1000), FillStatus("missed", "unknown", "inferred")),
        (verdict_of(9.99), FillStatus("small", "small", "inferred")),
        (verdict_of(9.99, 1), FillStatus("copied")),
        (verdict_of(20, price=0.5), FillStatus("missed", "probability", "inferred")),  # $1.00
        (verdict_of(20.3, price=0.5), FillStatus("missed", "unknown", "inferred")),
        (verdict_of(1000, side="SELL", held=0.0), FillStatus("missed", "no_position", "inferred")),
        (verdict_of(1000, side="SELL", held=5.0), FillStatus("missed", "unknown", "inferred")),
    ],
)
def test_status_and_reason_are_inferred_without_a_log(found, expected) -> None:
    assert found == expected


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ("SKIPPED_SMALL", "small"),
        ("SKIPPED_PROBABILITY", "probability"),
        ("SKIPPED_DISABLED", "disabled"),
        ("MOCK_ONLY", "disabled"),
        ("SKIPPED_NO_POSITION", "no_position"),
        ("CB_BLOCKED", "breaker"),
        ("RISK_BLOCKED", "breaker"),
        ("CB_BOOK_FAIL", "error"),
        ("EXEC_FAIL", "error"),
        ("QUEUE_ERR", "error"),
        ("WORKER_TIMEOUT", "error"),
        ("REJECTED", "error"),
        ("SENT", "unfilled"),
    ],
)
def test_the_logged_outcome_decides_the_reason(outcome, reason) -> None:
    assert outcome in OUTCOMES
    assert verdict_of(1000, logged=LoggedFill(outcome)) == FillStatus("missed", reason, "log")
    assert verdict_of(1000, 100, logged=LoggedFill(outcome)) == FillStatus("copied")  # fills take precedence over the log
    assert verdict_of(1000, 50, logged=LoggedFill(outcome)) == FillStatus("partial", "unfilled", "log")


def test_a_fill_or_kill_order_without_a_counterparty_is_unfilled() -> None:
    logged = LoggedFill("REJECTED", "no orders found to match with FAK order")
    assert verdict_of(1000, logged=logged) == FillStatus("missed", "unfilled", "log")


@pytest.mark.parametrize("outcome", ["UNKNOWN", "AGG_PENDING", "CB_OTHER", "SOMETHING_NEW"])
def test_an_outcome_without_a_reason_falls_back_to_sizes(outcome) -> None:
    assert verdict_of(1000, logged=LoggedFill(outcome)) == FillStatus("missed", "unknown", "inferred")
    assert verdict_of(5, logged=LoggedFill(outcome)) == FillStatus("small", "small", "inferred")


def test_every_reason_is_listed() -> None:
    said = {verdict_of(1000, logged=LoggedFill(outcome)).reason for outcome in OUTCOMES}
    assert said <= set(REASONS)


def test_first_fill_ratio_comes_from_the_log() -> None:
    assert LoggedFill("SENT", None, 40.0, 10.0).first_fill_ratio(40.0) == 0.25
    assert LoggedFill("REJECTED", None, 40.0, 0.0).first_fill_ratio(40.0) == 0
    assert LoggedFill("SENT", None, 40.0, None).first_fill_ratio(40.0) is None
    assert LoggedFill("SENT", None, 0.0, 0.0).first_fill_ratio(40.0) is None
    # Answered with 200 and no underfill: full, unless the copies have fewer shares.
    assert [LoggedFill("SENT", None, 40.0, None, state="ASSUMED_FULL").first_fill_ratio(got) for got in (40.1, 30, 0)] == [
        1.0, 0.75, 0.0,
    ]  # fmt: skip
    assert [LoggedFill(word).order_sent for word in ("SENT", "REJECTED", "MOCK_ONLY")] == [True, True, False]


# The rule


@pytest.mark.parametrize(
    ("rule", "shares", "side", "expected"),
    [
        (Rule(0.1), 9.99, "BUY", 0),
        (Rule(0.1), 10, "BUY", 1),
        (Rule(0.1), 3999, "BUY", 399.9),
        (Rule(0.1), 4000, "BUY", 500),
        (Rule(0.1), 4000, "SELL", 400),
        (Rule(0.1, 0, ()), 4000, "BUY", 400),
        (Rule(0.1, 500), 499, "BUY", 0),
        (Rule(0.1, 10, ((4000, 1.25), (100, 2.0))), 100, "BUY", 20),
        (Rule(0.1, 10, ((4000, 1.25), (100, 2.0))), 5000, "BUY", 625),
    ],
)
def test_expected_size_follows_floor_and_tiers(rule, shares, side, expected) -> None:
    assert rule.expected(fill(0, shares, side=side)) == pytest.approx(expected)


def test_a_rule_is_described_in_words() -> None:
    assert Rule(0.02).describe() == "ratio 0.02, fills from 10 shares, x 1.25 for purchases from 4,000 shares"


# Classes


@pytest.mark.parametrize(
    ("price", "bucket"),
    [(0.01, "0.00-0.05"), (0.05, "0.05-0.20"), (0.5, "0.40-0.60"), (0.999, "0.95-1.00"), (1.0, "0.95-1.00")],
)
def test_a_price_class_includes_its_lower_bound_only(price, bucket) -> None:
    assert price_bucket(price) == bucket


def test_labels_come_from_the_token_else_from_the_first_word_of_the_slug(con) -> None:
    for event, slug, series, tags in (
        ("1", "atp-a-b-2026-09-01", "atp", "['1', '864']"),
        ("2", "atp-c-d-2026-09-01", "challenger", "['864']"),
        ("3", "nba-x-y-2026-09-01", "nba-2026", "['745']"),
        ("4", "odd", None, "[]"),
    ):
        insert(con, "events", event_id=event, slug=slug, series_slug=series)
        con.execute(f"UPDATE events SET tag_ids = {tags} WHERE event_id = '{event}'")
    for n, kind in (("1", "moneyline"), ("3", None)):
        insert(con, "markets", market_id=f"m{n}", event_id=n, sports_market_type=kind)
        insert(
            con, "tokens", token_id=f"t{n}", market_id=f"m{n}", event_id=n, neg_risk=False, live=False, is_ligue1=False,
            is_tennis=False, is_atp=False,
        )  # fmt: skip
    catalog = read_catalog(con)
    assert catalog.labels("t1", "") == Labels("tennis", "atp", "moneyline")
    assert catalog.labels("t3", "") == Labels("basketball", "nba-2026", "unknown")
    assert catalog.labels("gone", "nba-p-q-2026-08-01") == Labels("basketball", "nba-2026", "unknown")
    assert catalog.labels("gone", "atp-p-q-2026-08-01") == Labels("tennis", "unknown", "unknown")  # two series
    assert catalog.labels("gone", "epl-p-q") == Labels("unknown", "unknown", "unknown")


# Intervals


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_interval_matches_published_values(successes, trials, low, high) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(("freedom", "quantile"), [(2, 4.303), (5, 2.571), (10, 2.228), (30, 2.042)])
def test_students_t_matches_published_quantiles(freedom, quantile) -> None:
    assert student(freedom) == pytest.approx(quantile, rel=0.01)


def test_ratio_interval_matches_values_computed_by_hand() -> None:
    """Three days of 1 share each at 1, 2, 3 cents: mean 2, sd 1, standard error 1/sqrt(3), t(2)."""
    low, high = ratio_interval([(1.0, 1.0), (2.0, 1.0), (3.0, 1.0)])
    assert (low + high) / 2 == pytest.approx(2)
    assert (high - low) / 2 == pytest.approx(student(2) / 3**0.5)


def test_total_interval_widens_where_neighbouring_days_agree() -> None:
    """Deviations 1 1 1 -1 -1 -1: squares 6, neighbours 1 + 1 - 1 + 1 + 1 = 3."""
    days = {date(2026, 10, 1 + n): 10.0 + (1 if n < 3 else -1) for n in range(6)}
    low, high = total_interval(days)
    assert (low + high) / 2 == pytest.approx(60)
    assert (high - low) / 2 == pytest.approx(student(5) * (9 / 5 * 6) ** 0.5)
    apart = {date(2026, 10, 1 + 2 * n): value for n, value in enumerate(days.values())}
    low, high = total_interval(apart)
    assert (high - low) / 2 == pytest.approx(student(5) * (6 / 5 * 6) ** 0.5)


def test_rate_interval_counts_a_day_of_equal_fates_as_one_trial() -> None:
    """Ten days of 50 fills that are all copied or all missed: like 10 trials at Student's t(9), not like 500."""
    low, high = rate_interval([(50, 50)] * 8 + [(0, 50)] * 2)
    assert high - low > 0.4
    assert low < 0.8 < high
    independent = rate_interval([(4, 5)] * 99 + [(3, 5)])
    assert independent[0] < 0.798 < independent[1]
    assert independent[1] - independent[0] < 0.08
    assert rate_interval([(50, 50)] * 10)[0] == pytest.approx(wilson(10, 10)[0], abs=0.1)  # not from 1 to 1
    assert rate_interval([(0, 7)])[1] > 0.8


@pytest.mark.parametrize(
    ("days", "events", "reason"),
    [
        ([(1, 10)] * 6, 12.0, None),
        ([(1, 10)] * 5, 12.0, "an interval needs 6 days, which are independent of each other; there are 5"),
        ([(1, 1)] * 6 + [(1, 100)], 12.0, "a few days dominate: 1.1 effective days, 3 are needed"),
        ([(1, 10)] * 6, 11.9, "a few events dominate: 11.9 effective events, 12 are needed"),
    ],
)
def test_too_few_days_or_events_give_no_interval(days, events, reason) -> None:
    assert why_no_interval(days, events) == reason


@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(0.1, 100)), min_size=3, max_size=30))
def test_ratio_interval_contains_the_ratio(clusters) -> None:
    low, high = ratio_interval(clusters)
    mean = sum(a for a, _ in clusters) / sum(b for _, b in clusters)
    assert low - 1e-9 <= mean <= high + 1e-9


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (None, "too few events"),
        ((0.1, 2.0), "costs"),
        ((-2.0, -0.1), "gains"),
        ((-0.1, 2.0), "not distinguishable from zero"),
        ((0.0, inf), "not distinguishable from zero"),
    ],
)
def test_verdict_follows_from_the_signs_of_the_interval(interval, text) -> None:
    assert verdict(interval) == text
