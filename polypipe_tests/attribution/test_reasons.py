"""Status, reason, rule and labels, by hand."""

import pytest

from polypipe.attribution.fills import Match
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
