"""Metrics by hand: rates, funnel, percentiles, shortfall, classes, and every null with its reason."""

import json
from datetime import timedelta

import pytest

from polypipe.attribution.cost_metrics import COST_NUMBERS, NO_FEES
from polypipe.attribution.fee_metrics import FEE_NUMBERS
from polypipe.attribution.metrics import metric_rows
from polypipe.attribution.realised_ratio import LEAST_RATIO_PAIRS, ratio_warning
from polypipe_tests.attribution.tables import COPIER, T0, WALLETS, WHALE, insert, known_days, trade

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def copy_fill(con, n, shares=1000.0, price=0.50, got=0.0, at=None, side="BUY", day=T0, **more) -> None:
    """A row of copy_fills; each fill has an event of its own unless named."""
    eligible = shares >= 10
    values = {
        "key": f"{day}{n}",
        "timestamp": day + n * timedelta(minutes=1),
        "user1_address": COPIER,
        "user2_address": WHALE,
        "status": "copied" if got else "missed",
        "reason": None if got else "unknown" if eligible else "small",
        "token_id": f"T{n}",
        "side": side,
        "whale_shares": shares,
        "whale_price": price,
        "whale_fee": 0.0,
        "ratio": 0.1,
        "eligible": eligible,
        "expected_shares": 0.1 * shares if eligible else 0.0,
        "copier_shares": got,
        "copier_price": at,
        "copier_fee": 0.0,
        "copier_fills": int(got > 0),
        "order_sent": got > 0,
        "ambiguous": False,
        "sport": "tennis",
        "league": "atp",
        "market_type": "moneyline",
        "price_bucket": "p",
        "size_bucket": "s",
        "title": "",
        "event_slug": f"e{n}",
        "outcome": "",
    }
    if got:
        sign = 1 if side == "BUY" else -1
        values |= {
            "slippage_cents": 100 * sign * (at - price),
            "slippage_usd": sign * got * (at - price),
            "latency": float(n),
            "fill_ratio": got / (0.1 * shares),
        }
    insert(con, "copy_fills", **values | more)


def one(con, day=T0, window=1):
    rows, breakdowns = metric_rows(con, WALLETS, [day])
    (row,) = [row for row in rows if row["window_days"] == window]
    return row, [found for found in breakdowns if found["window_days"] == window]


def test_metrics_of_a_day_match_values_computed_by_hand(con) -> None:
    known_days(con, T0)
    copy_fill(con, 1, got=100.0, at=0.51)  # 1 cent worse
    copy_fill(con, 2, got=50.0, at=0.50, reason="unfilled", status="partial", first_fill_ratio=0.25)
    copy_fill(con, 3, got=100.0, at=0.49)  # 1 cent better
    copy_fill(con, 4, shares=2000.0, got=200.0, at=0.54, ambiguous=True)
    copy_fill(con, 5, shares=5000.0, reason="breaker")
    copy_fill(con, 6, shares=9.0, status="small")
    copy_fill(con, 8, shares=9.0, got=2.0, at=0.99)  # not eligible, copied nevertheless: in the funnel only
    copy_fill(con, 7, status="own", eligible=False, reason=None, whale_shares=None, whale_price=None)
    for token in ("T2", "T5"):
        trade(con, WHALE, T0 + 20 * HOUR, 1000, 0.60, token=token, condition_id=None)
    row, _ = one(con)
    counts = ("whale_fills", "eligible_fills", "copied_fills", "ambiguous_fills", "own_fills", "realised_pairs")
    assert [row[name] for name in counts] == [7, 5, 4, 1, 1, 3]
    assert row["copy_rate"] == pytest.approx(80)
    assert row["copy_rate_low"] is row["copy_rate_high"] is None  # one day tells nothing about the next
    assert row["copy_rate_usd"] == pytest.approx(100 * (500 + 500 + 500 + 1000) / 5000)
    assert row["fill_ratio"] == pytest.approx(100 * 450 / 500)
    assert row["first_fill_ratio"] == pytest.approx(25)
    assert row["slippage_usd"] == pytest.approx(1 + 0 - 1 + 8)
    assert row["slippage_cents"] == pytest.approx(100 * 8 / 450)
    assert row["slippage_bps"] == pytest.approx(1e4 * 8 / 225)
    assert row["slippage_p50"] == pytest.approx(0.5)  # of -1, 0, 1, 4
    assert row["slippage_p95"] == pytest.approx(1 + 0.85 * 3)
    assert [row[f"latency_p{n}"] for n in (50, 95, 99)] == pytest.approx([2.5, 3.85, 3.97])  # of 1, 2, 3, 4
    # slippage 8, missed 50 x 0.10 and 500 x 0.10
    assert row["shortfall_usd"] == pytest.approx(8 + 5 + 50)
    assert row["shortfall_bps"] == pytest.approx(1e4 * 63 / (0.1 * 5000))
    assert row["unmarked_usd"] == 0
    assert json.loads(row["funnel"]) == {
        "breaker": {"fills": 1, "usd": 2500.0},
        "copied": {"fills": 4, "usd": 2004.5},
        "small": {"fills": 1, "usd": 4.5},
        "unfilled": {"fills": 1, "usd": 500.0},
    }
    reasons = {name: why for name, why in json.loads(row["reasons"]).items() if name not in (*FEE_NUMBERS, *COST_NUMBERS)}
    one_day = "an interval needs 6 days, which are independent of each other; there is 1"
    bounds = [f"{name}_{end}" for name in ("copy_rate", "slippage_cents") for end in ("low", "high")]
    assert reasons == dict.fromkeys(bounds, one_day) | {
        "realised_ratio": f"3 unambiguous pairs, {LEAST_RATIO_PAIRS} are needed"
    }


def test_the_funnel_has_every_fill_of_the_whale_once(con) -> None:
    known_days(con, T0)
    for n, reason in enumerate([None, "small", "unknown", "unknown", "no_position"]):
        copy_fill(con, n + 1, got=0.0 if reason else 100.0, at=None if reason else 0.5, reason=reason)
    row, _ = one(con)
    assert sum(step["fills"] for step in json.loads(row["funnel"]).values()) == row["whale_fills"] == 5


def test_windows_end_with_the_day(con) -> None:
    known_days(con, *(T0 - n * DAY for n in range(30)))
    for back in (0, 6, 7, 29, 30):
        copy_fill(con, 1, got=100.0, at=0.5, day=T0 - back * DAY)
    copy_fill(con, 1, got=100.0, at=0.5, day=T0 + DAY)
    assert [one(con, window=n)[0]["whale_fills"] for n in (1, 7, 30)] == [1, 2, 4]


def test_an_unmarked_token_is_counted_as_unmoved_and_shown(con) -> None:
    known_days(con, T0)
    copy_fill(con, 1, shares=1000.0)
    row, _ = one(con)
    assert (row["shortfall_usd"], row["unmarked_usd"]) == (0, pytest.approx(50))


def test_shortfall_has_the_fees_of_all_copies(con) -> None:
    """Shares whose fee is unknown, one in twenty, cost what the others cost: 19 in all for 1,900 shares, so 20."""
    known_days(con, T0)
    for n in range(19):
        copy_fill(con, n + 1, got=100.0, at=0.50, copier_fee=1.0)
    copy_fill(con, 20, got=100.0, at=0.50, copier_fee=None)
    row, _ = one(con)
    assert (row["shortfall_usd"], row["copier_fee_cents"]) == (pytest.approx(20), pytest.approx(1))


def test_shortfall_is_unknown_if_the_fees_of_the_copies_are(con) -> None:
    known_days(con, T0)
    copy_fill(con, 1, got=100.0, at=0.51, copier_fee=1.0)
    copy_fill(con, 2, got=100.0, at=0.51, copier_fee=None)
    row, _ = one(con)
    reasons = json.loads(row["reasons"])
    assert row["shortfall_usd"] is row["shortfall_bps"] is None
    assert reasons["shortfall_usd"] == reasons["shortfall_bps"] == reasons["copier_fee_cents"]
    assert reasons["marginal_ratio"] == NO_FEES
    assert row["slippage_usd"] == pytest.approx(2)


def test_unknown_days_make_every_number_null(con) -> None:
    copy_fill(con, 1, got=100.0, at=0.51)
    insert(con, "activity_days", wallet=WHALE, day=T0, activities=1, read_at=T0)  # the copier's are not known
    row, breakdowns = one(con)
    reasons = json.loads(row["reasons"])
    nulls = {name for name, value in row.items() if value is None}
    assert set(reasons) == nulls
    assert {"whale_fills", "copy_rate", "slippage_usd", "shortfall_usd"} <= nulls
    of_90_days = {"pnl_fee_share", "pnl_fee_share_low", "pnl_fee_share_high"}  # not of the window
    assert {reasons[name] for name in nulls - of_90_days} == {"activity is known and matched on 0 of 1 days"}
    assert (row["funnel"], breakdowns) == ("{}", [])


def test_a_day_that_is_not_matched_is_not_known(con) -> None:
    known_days(con, T0)
    trade(con, WHALE, T0 + HOUR, 1000, 0.4)
    trade(con, WHALE, T0 + 2 * HOUR, 1000, 0.4)
    copy_fill(con, 1)
    assert one(con)[0]["whale_fills"] is None
    copy_fill(con, 2)
    assert one(con)[0]["whale_fills"] == 2


@pytest.mark.parametrize("case", ["no fills", "nothing eligible", "nothing copied"])
def test_every_null_has_its_reason(con, case) -> None:
    known_days(con, T0)
    if case == "nothing eligible":
        copy_fill(con, 1, shares=5.0)
    elif case == "nothing copied":
        copy_fill(con, 1)
    row, _ = one(con)
    reasons = json.loads(row["reasons"])
    assert set(reasons) == {name for name, value in row.items() if value is None}
    assert all(reasons.values())
    assert row["whale_fills"] == (0 if case == "no fills" else 1)
    if case == "nothing copied":
        assert (row["copy_rate"], row["copy_rate_usd"]) == (0, 0)
        assert reasons["slippage_p50"] == "nothing was copied"


def test_class_verdicts_follow_from_their_intervals(con) -> None:
    days = [T0 + n * DAY for n in range(7)]
    known_days(con, *days)
    for m, day in enumerate(days):
        for n in range(1, 5):
            better = 0.01 if (m + n) % 2 else -0.01
            names = {"day": day, "event_slug": f"{m} {n}"}
            copy_fill(con, n, got=100.0, at=0.52 + better / 2, sport="a", **names)
            copy_fill(con, 10 + n, got=100.0, at=0.5 + better, sport="b", **names)
    copy_fill(con, 20, got=100.0, at=0.49, sport="c")
    copy_fill(con, 21, sport="c", event_slug="e20")
    copy_fill(con, 22, sport="d", live=True)
    copy_fill(con, 23, sport="d", live=False)
    _, breakdowns = one(con, days[-1], 7)
    by_class = {(row["dimension"], row["value"]): row for row in breakdowns}
    assert {value: row["verdict"] for (dimension, value), row in by_class.items() if dimension == "sport"} == {
        "a": "costs",
        "b": "not distinguishable from zero",
        "c": "too few events",
        "d": "too few events",
    }
    a, c, d = by_class["sport", "a"], by_class["sport", "c"], by_class["sport", "d"]
    assert (a["events"], a["copy_rate"], a["copy_rate_high"]) == (28, 100, 100)
    assert 50 < a["copy_rate_low"] < 80  # 7 days of which all fills were copied
    assert (c["eligible_fills"], c["copied_fills"], c["copy_rate"], c["events"]) == (2, 1, 50, 1)
    assert (c["slippage_cents"], c["slippage_cents_low"]) == (pytest.approx(-1), None)
    assert (c["copy_rate_low"], c["copy_rate_high"]) == (None, None)
    assert (d["slippage_cents"], d["fill_ratio"], d["latency_p50"], d["copy_rate"]) == (None, None, None, 0)
    assert {value for dimension, value in by_class if dimension == "live"} == {"yes", "no or not known", "unknown"}
    dimensions = {"side", "sport", "league", "market_type", "price", "size", "order", "live"}
    assert {dimension for dimension, _ in by_class} == dimensions
    assert by_class["order", "100 to 500"]["eligible_fills"] == 60
    for dimension in {dimension for dimension, _ in by_class}:
        assert sum(row["eligible_fills"] for (name, _), row in by_class.items() if name == dimension) == 60


@pytest.mark.parametrize(("events", "known"), [(2, False), (4, True)])
def test_few_events_have_no_interval_however_many_fills_they_have(con, events, known) -> None:
    days = [T0 + n * DAY for n in range(7)]
    known_days(con, *days)
    for m, day in enumerate(days):
        for n in range(1, 21):
            copy_fill(con, n, got=100.0, at=0.52, day=day, event_slug=f"{m // 2} {n % events}")
    row, breakdowns = one(con, days[-1], 7)
    assert {found["verdict"] == "costs" for found in breakdowns if found["dimension"] == "sport"} == {known}
    assert (row["slippage_cents_low"] is not None) == (row["copy_rate_low"] is not None) == known
    if not known:
        why = json.loads(row["reasons"])["slippage_cents_low"]
        assert why.startswith("a few events dominate")


def test_fill_ratio_counts_orders_of_at_least_the_minimum(con) -> None:
    """Of 14 shares @ 0.10 the bot takes 1.4, $0.14; what it orders by chance is 10.1 for $1.01."""
    known_days(con, T0)
    copy_fill(con, 1, shares=14.0, price=0.10, got=10.1, at=0.10, first_fill_ratio=1.0)
    row, _ = one(con)
    assert (row["fill_ratio"], row["first_fill_ratio"]) == (pytest.approx(100), pytest.approx(100))
    copy_fill(con, 2, shares=1010.0, price=0.10, got=50.5, at=0.10, first_fill_ratio=0.0)
    row, breakdowns = one(con)
    assert row["fill_ratio"] == pytest.approx(100 * (10.1 + 50.5) / (10.1 + 101))
    assert row["first_fill_ratio"] == pytest.approx(100 * 10.1 / (10.1 + 101))
    assert {found["fill_ratio"] for found in breakdowns if found["dimension"] == "side"} == {row["fill_ratio"]}


@pytest.mark.slow
@pytest.mark.parametrize(
    "other",
    [
        {"shares": 4000.0, "got": 500.0},  # the bot's tier
        {"shares": 10.0, "got": 2.02},  # an order of the exchange's minimum
        {"shares": 1000.0, "got": 50.0, "ratio": 0.05},  # before the ratio was changed
        {"shares": 1000.0, "got": 50.0, "side": "SELL"},
    ],
)
def test_tier_minimum_sale_and_old_ratio_fills_do_not_change_the_realised_ratio(con, other) -> None:
    known_days(con, T0)
    for n in range(1, 4 * LEAST_RATIO_PAIRS):
        copy_fill(con, n, at=0.5, **other)
    for n in range(4 * LEAST_RATIO_PAIRS, 5 * LEAST_RATIO_PAIRS):
        copy_fill(con, n, got=100.0, at=0.5)
    row, _ = one(con)
    assert (row["realised_ratio"], row["realised_pairs"], row["ratio"]) == (pytest.approx(0.1), LEAST_RATIO_PAIRS, 0.1)


def test_a_realised_ratio_off_the_setting_gives_a_warning(con) -> None:
    known_days(con, T0)
    for n in range(1, LEAST_RATIO_PAIRS + 1):
        copy_fill(con, n, got=60.0, at=0.5)
    row, _ = one(con)
    assert row["realised_ratio"] == pytest.approx(0.06)
    warning = ratio_warning(row["realised_ratio"], row["realised_pairs"], 0.1)
    assert "0.06" in warning
    assert "0.1" in warning
    assert ratio_warning(0.06, LEAST_RATIO_PAIRS - 1, 0.1) is None
    assert ratio_warning(None, 0, 0.1) is None
    assert ratio_warning(0.0999, 1000, 0.1) is None
