"""Copy quality: the SQL against plain Python on random data, tables by hand, and days computed in any order."""

import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polypipe.history.copy_quality import compute_quality, quality_rows, reasons_of
from polypipe.history.windows import WINDOWS
from polypipe.intervals import student
from polypipe.wallets import Wallets
from polypipe.warehouse import Upsert, Warehouse
from polypipe.warehouse.connection import literal, open_memory
from polypipe.warehouse.migrate import migrate
from polypipe_tests.history.oracle import DAY, HOUR, Snap, quality, t975

if TYPE_CHECKING:
    import duckdb

COPIER, WHALE = "0x" + "c0" * 20, "0x" + "a1" * 20
WALLETS = Wallets(COPIER, WHALE, 0.05)
T0 = datetime(2026, 9, 1, tzinfo=UTC)
Series = Mapping[datetime, float]


@pytest.fixture(scope="module")
def con() -> Iterator["duckdb.DuckDBPyConnection"]:
    """Empty tables."""
    with open_memory() as opened:
        migrate(opened)
        yield opened


def put(
    con: "duckdb.DuckDBPyConnection",
    copier: Series,
    whale: Series,
    snaps: Sequence[Snap] = (),
    fidelity: str = "1h",
    origin: str = "polypipe",
) -> None:
    """Replace the content of the tables."""
    con.execute("DELETE FROM wallet_pnl; DELETE FROM snapshots")
    points = [
        f"({literal(wallet)}, {literal(t)}, {literal(float(p))}, {literal(fidelity)}, {literal(T0)})"
        for wallet, series in ((COPIER, copier), (WHALE, whale))
        for t, p in series.items()
    ]
    if points:
        con.execute(f"INSERT INTO wallet_pnl VALUES {', '.join(points)}")
    rows = [
        f"({n}, {literal(snap.time)}, {literal(COPIER)}, {literal(WHALE)}, {literal(snap.ratio)}, {literal(snap.value)}, "
        f"'{{}}', {literal(origin)})"
        for n, snap in enumerate(snaps)
    ]
    if rows:
        columns = "id, timestamp, user1_address, user2_address, scaling_ratio, user1_value, reasons, origin"
        con.execute(f"INSERT INTO snapshots ({columns}) VALUES {', '.join(rows)}")


def trades(con: "duckdb.DuckDBPyConnection", found: Sequence[tuple[datetime, str, bool]]) -> None:
    """Replace the trades of the whale by (time, event, whether it is a combo) of 50 USD each."""
    con.execute("DELETE FROM wallet_activity")
    rows = [
        f"('{n}', {literal(t)}::DATE, {literal(WHALE)}, {literal(t)}, 'TRADE', 50, {literal(event)}, {combo}, "
        "'', '', '', '', 0)"
        for n, (t, event, combo) in enumerate(found)
    ]
    con.execute(
        "INSERT INTO wallet_activity (key, day, wallet, timestamp, type, usdc_size, event_slug, is_combo, "
        f"transaction_hash, title, slug, outcome, occurrence) VALUES {', '.join(rows)}"
    )


def series(*values: float, start: datetime = T0) -> dict[datetime, float]:
    """Hourly points."""
    return {start + n * HOUR: value for n, value in enumerate(values)}


def summed(changes: Sequence[float], start: datetime = T0) -> dict[datetime, float]:
    """Hourly points from their changes."""
    values = [0.0]
    for change in changes:
        values.append(values[-1] + change)
    return series(*values, start=start)


def one(con: "duckdb.DuckDBPyConnection", day: datetime = T0, window: int = 1) -> dict[str, Any]:
    (row,) = [row for row in quality_rows(con, WALLETS, [day]) if row["window_days"] == window]
    return row


# The SQL against plain Python


@pytest.mark.slow
@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    days=st.integers(1, 33),
    missing=st.sampled_from([0.0, 0.0, 0.02, 0.3, 1.0]),
    still=st.sampled_from([0.0, 0.3, 0.99]),
    scale=st.sampled_from([0.001, 1.0, 300.0]),
    recorded=st.sampled_from([0, 0, 1, 40]),
)
def test_sql_equals_plain_python_on_random_data(con, seed, days, missing, still, scale, recorded) -> None:
    chance = random.Random(seed)
    hours = [T0 + n * HOUR for n in range(24 * days + 1)]
    whale_changes = [0.0 if chance.random() < still else chance.gauss(0, scale) for _ in hours]
    copier_changes = [0.05 * change + chance.gauss(0, scale / 50) for change in whale_changes]
    begins = hours[0] if chance.random() < 0.7 else chance.choice(hours)  # the copier may be younger
    whale = {t: p for t, p in summed(whale_changes[1:]).items() if chance.random() >= missing}
    copier = {t: p for t, p in summed(copier_changes[1:]).items() if chance.random() >= missing / 2 and t >= begins}
    snaps = [
        Snap(
            T0 + chance.random() * days * DAY,
            chance.choice([0.05, 0.08, None]),
            chance.choice([chance.uniform(0, 20_000), None]),
        )
        for _ in range(recorded)
    ]
    put(con, copier, whale, snaps)
    trades(con, [(T0 + n * DAY, f"{n} {event}", False) for n in range(days) for event in range(24)])
    wanted_days = sorted({T0 + chance.randrange(days) * DAY for _ in range(3)} | {T0 + (days - 1) * DAY})
    rows = quality_rows(con, WALLETS, wanted_days)
    assert [(row["day"], row["window_days"]) for row in rows] == [(day, n) for day in wanted_days for n in WINDOWS]
    for row in rows:
        expected = quality(copier, whale, snaps, WALLETS.ratio, row["day"], row["window_days"])
        for name, value in expected.items():
            if value is None:
                assert row[name] is None, (name, row)
            elif name == "gap_t":  # SQL's normal deviate is an approximation
                assert row[name] == pytest.approx(value, rel=0.02, abs=0.01) or min(abs(row[name]), abs(value)) > 3
            elif name.endswith(("_low", "_high")):  # and so is its quantile of Student's t
                half = abs(value - expected[name.partition("_")[0]])
                assert row[name] == pytest.approx(value, rel=1e-6, abs=0.012 * half + 1e-6), name
            else:
                assert row[name] == pytest.approx(value, rel=1e-6, abs=1e-6), name
        # every null has its reason, and nothing else has one
        nulls = {name for name, value in row.items() if value is None}
        assert set(reasons_of(row)) == nulls
        assert all(reasons_of(row).values())


@pytest.mark.parametrize(("freedom", "quantile"), [(22, 2.073873), (30, 2.042272), (60, 2.000298), (120, 1.979930)])
def test_students_t_matches_published_quantiles(freedom, quantile) -> None:
    assert t975(freedom) == pytest.approx(quantile, abs=1e-6)
    assert student(freedom) == pytest.approx(quantile, abs=1e-6)


# By hand


def test_a_day_matches_values_computed_by_hand(con) -> None:
    """The whale gains 200 in each of 12 hours and loses 100 in each of the others; the copier makes 5 and loses 6."""
    whale = summed([200, -100] * 12)
    copier = summed([5, -6] * 12)
    put(con, copier, whale)
    row = one(con)
    assert row["whale_pnl"] == 1200
    assert row["copier_pnl"] == -12
    assert row["expected_pnl"] == pytest.approx(60)  # 5 % of it
    assert row["gap"] == pytest.approx(-72)
    assert row["capture_up"] == pytest.approx(100 * 60 / 120)
    assert row["capture_down"] == pytest.approx(100 * 72 / 60)
    assert row["beta"] == pytest.approx(11 / 300)  # two clouds of points: a line through both
    one_day = "an interval needs 6 days, which are independent of each other; there is 1"
    assert row["beta_low"] is row["beta_high"] is row["gap_t"] is row["gap_low"] is row["gap_high"] is None
    assert {reasons_of(row)[name] for name in ("beta_low", "beta_high", "gap_t", "gap_low", "gap_high")} == {one_day}
    assert row["beta_to_ratio"] == pytest.approx(11 / 300 / 0.05)
    assert row["r2"] == pytest.approx(1)
    # the hourly gap is -5 and -1 in turns: mean -3, deviation 2 x sqrt(24 / 23)
    assert row["tracking_error"] == pytest.approx(2 * math.sqrt(24 / 23) * math.sqrt(24))
    assert (row["hours_covered"], row["fidelity"], row["source"]) == (24, "hourly", "reconstructed, hourly")
    assert (row["scaling_ratio"], row["ratio_source"]) == (0.05, "setting")
    assert (row["window_start"], row["window_end"]) == (T0, T0 + DAY)
    assert set(reasons_of(row)) == {"capital", "beta_low", "beta_high", "gap_t", "gap_low", "gap_high"}
    assert "168 h" in reasons_of(one(con, window=7))["gap"]


def test_a_week_matches_an_interval_computed_by_hand(con) -> None:
    """The gap is -14 a day on four days and 0 on three: mean -8, variance 56, and no day repeats the one before it."""
    days = [-14, 0, -14, 0, -14, 0, -14]
    whale = summed([100, -100] * 84)
    put(con, summed([5 + (day if hour == 12 else 0), -5][hour % 2] for day in days for hour in range(24)), whale)
    row = one(con, T0 + 6 * DAY, 7)
    half = 2.4469 * math.sqrt(56 * 7)
    assert row["gap"] == pytest.approx(-56)
    assert (row["gap_low"], row["gap_high"]) == pytest.approx((-56 - half, -56 + half), abs=0.01 * half)


@pytest.mark.parametrize(("events", "reason"), [
    (24, None),
    (23, "a few events dominate: 23.0 effective events, 24 are needed"),
    (0, "no fills of the whale are stored in the window"),
])  # fmt: skip
def test_beta_has_no_interval_if_few_events_decide_it(con, events, reason) -> None:
    """Combos are not counted: they cannot be copied, and beta is of what can."""
    changes = [random.Random(n).gauss(0, 100) for n in range(168)]
    put(con, summed([0.05 * change + n % 3 for n, change in enumerate(changes)]), summed(changes))
    trades(con, [(T0 + n * HOUR, f"game-{n}", n >= events) for n in range(events + 30)])
    row = one(con, T0 + 6 * DAY, 7)
    con.execute("DELETE FROM wallet_activity")
    assert row["beta"] is not None
    assert row["gap_t"] is not None
    assert reasons_of(row).get("beta_low") == reasons_of(row).get("beta_high") == reason
    assert (row["beta_low"] is None) == (reason is not None)


def test_the_closing_point_of_the_day_belongs_to_it(con) -> None:
    """The last hour counts for this day, the first hour of the next day does not."""
    flat = [0.0] * 23
    put(con, summed([*flat, 7.0, 100.0]), summed([*flat, 200.0, 900.0]))
    assert one(con)["copier_pnl"] == 7
    assert one(con)["whale_pnl"] == 200


def test_beta_and_tracking_error_need_24_hours(con) -> None:
    whale = summed([100, -50, 30] * 8)
    copier = {t: p * 0.05 for t, p in summed([100, -48, 31] * 8).items() if t != T0}
    put(con, copier, whale)
    row = one(con)
    assert row["gap"] is not None
    assert row["capture_up"] is not None
    assert row["hours_covered"] == 23
    assert reasons_of(row)["tracking_error"] == "23 hours, 24 are needed"
    assert reasons_of(row)["beta"] == "the whale's PnL moved in 23 hours, 24 are needed"
    assert row["beta"] is row["r2"] is row["gap_t"] is None


def test_a_whale_that_loses_has_a_capture_of_losses_only(con) -> None:
    put(con, summed([-3.0] * 24), summed([-100.0] * 24))
    row = one(con)
    assert row["capture_down"] == pytest.approx(60)  # 72 of 120: low is good
    assert reasons_of(row)["capture_up"] == "the whale gained in no hour"
    assert reasons_of(row)["beta"] == "the whale's hourly PnL varies by less than a cent"
    assert reasons_of(row)["gap_t"] == "the hourly gap varies by less than a cent"


def test_small_sums_have_no_capture(con) -> None:
    put(con, summed([0.2] * 24), summed([4.1, -0.1] * 12))
    reasons = reasons_of(one(con))
    assert reasons["capture_up"] == "ratio x the whale's gains are $2.46, $5.00 are needed"
    assert reasons["capture_down"] == "ratio x the whale's losses are $0.06, $5.00 are needed"


def test_the_guard_grows_with_the_copiers_capital(con) -> None:
    snaps = [Snap(T0 + HOUR, 0.05, 50_000.0)]
    whale = summed([41.0, -0.1] * 12)  # gains of 24.60 at 5 %
    put(con, summed([2.0] * 24), whale)
    assert one(con)["capture_up"] is not None
    put(con, summed([2.0] * 24), whale, snaps)
    assert reasons_of(one(con))["capture_up"] == "ratio x the whale's gains are $24.60, $50.00 are needed"
    assert one(con)["capital"] == 50_000


def test_daily_points_give_pnl_and_no_hourly_numbers(con) -> None:
    points = {T0 + n * DAY: 1000.0 * n * n for n in range(-7, 2)}
    put(con, points, {t: 20 * p for t, p in points.items()}, fidelity="1d")
    row = one(con)
    assert (row["copier_pnl"], row["whale_pnl"], row["gap"]) == (1000, 20_000, 0)
    assert (row["fidelity"], row["source"], row["hours_covered"]) == ("1d", "reconstructed, 1d", 0)
    needed = "0 of 24 hours have hourly points of both wallets, 90 % are needed"
    assert reasons_of(row)["tracking_error"] == reasons_of(row)["capture_up"] == reasons_of(row)["beta"] == needed
    assert one(con, window=7)["copier_pnl"] == pytest.approx(1000 - 36_000)


def test_a_day_without_points_has_only_nulls_with_reasons(con) -> None:
    put(con, {}, {})
    row = one(con)
    assert row["gap"] is row["fidelity"] is row["scaling_ratio"] is row["window_start"] is None
    assert set(reasons_of(row).values()) - {reasons_of(row)["capital"]} == {"no PnL points that both wallets have"}
    assert (row["source"], row["hours_covered"], row["recorded_days"]) == ("reconstructed", 0, 0)


def test_pnl_of_one_wallet_is_known_without_points_of_the_other(con) -> None:
    put(con, {}, summed([10.0] * 24))
    row = one(con)
    assert row["whale_pnl"] == 240
    assert row["expected_pnl"] == pytest.approx(12)
    assert row["copier_pnl"] is row["gap"] is None
    assert reasons_of(row)["gap"] == "the copier has no PnL points in the window"
    put(con, summed([10.0] * 24), {})
    assert one(con)["copier_pnl"] == 240
    assert reasons_of(one(con))["expected_pnl"] == "the whale has no PnL points in the window"


def test_a_day_whose_end_is_missing_is_unknown(con) -> None:
    put(con, summed([10.0] * 21), summed([10.0] * 22))
    assert reasons_of(one(con))["gap"] == "points cover 21 of 24 h, 90 % are needed"
    put(con, summed([1.0] * 7 * 24, T0 - 6 * DAY), summed([1.0] * (7 * 24 - 3), T0 - 6 * DAY))
    assert reasons_of(one(con, window=7))["gap"] == "the newest point is 3 h before the end of the window"


def test_the_ratio_of_an_hour_comes_from_its_snapshots_then_its_day_then_the_setting(con) -> None:
    """10 % in the first hour, by a snapshot in it; 20 % for the rest of the day, by its last one; then the setting."""
    snaps = [Snap(T0 + 0.5 * HOUR, 0.1, None), Snap(T0 + 5.5 * HOUR, 0.2, None)]
    put(con, summed([1.0] * 48), summed([100.0, -99.0] * 24), snaps)
    row = one(con)
    assert row["expected_pnl"] == pytest.approx(0.1 * 100 + 0.2 * (12 - 100))
    assert (row["scaling_ratio"], row["ratio_source"], row["recorded_days"]) == (0.2, "snapshots", 1)
    assert row["source"] == "recorded"
    assert reasons_of(row)["beta_to_ratio"] == "the ratio changed within the window"
    following = one(con, T0 + DAY)
    assert following["expected_pnl"] == pytest.approx(0.05 * 12)
    assert (following["ratio_source"], following["source"]) == ("setting", "reconstructed, hourly")


def test_a_snapshot_at_midnight_belongs_to_the_day_that_begins(con) -> None:
    put(con, summed([1.0] * 48), summed([100.0, -99.0] * 24), [Snap(T0 + DAY, 0.1, 700.0)])
    assert (one(con)["recorded_days"], one(con)["capital"], one(con)["ratio_source"]) == (0, None, "setting")
    following = one(con, T0 + DAY)
    assert (following["recorded_days"], following["capital"], following["scaling_ratio"]) == (1, 700, 0.1)


def test_snapshots_of_other_wallets_do_not_count_and_imported_ones_do(con) -> None:
    put(con, summed([1.0] * 24), summed([100.0, -99.0] * 12), [Snap(T0, 0.1, None)])
    con.execute("UPDATE snapshots SET user1_address = 'another'")
    assert one(con)["ratio_source"] == "setting"
    con.execute("UPDATE snapshots SET user1_address = NULL, user2_address = NULL, origin = 'import'")
    assert (one(con)["ratio_source"], one(con)["source"]) == ("snapshots", "recorded")


# Stored


def points_batch(warehouse: Warehouse, copier: Series, whale: Series) -> None:
    rows = [
        {"wallet": wallet, "t": t, "p": p, "fidelity": "1h", "fetched_at": T0}
        for wallet, points in ((COPIER, copier), (WHALE, whale))
        for t, p in points.items()
    ]
    with warehouse.batch("wallet_pnl") as batch:
        batch.add("wallet_pnl", rows)
        batch.commit({"wallet_pnl": Upsert(("wallet", "t"))})


def stored(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    with warehouse.read() as con:
        return con.execute("SELECT * FROM copy_quality_daily ORDER BY ALL").fetchall()


def walk(chance: random.Random, days: int) -> dict[datetime, float]:
    return summed([round(chance.gauss(0, 50), 2) for _ in range(24 * days)])


@pytest.fixture
def filled(tmp_path) -> tuple[Warehouse, dict[datetime, float], dict[datetime, float]]:
    chance = random.Random(5)
    warehouse, copier, whale = Warehouse(tmp_path / "a"), walk(chance, 9), walk(chance, 9)
    points_batch(warehouse, copier, whale)
    compute_quality(warehouse, WALLETS, T0, T0 + 9 * DAY)
    return warehouse, copier, whale


@pytest.mark.slow
def test_the_order_in_which_days_are_computed_does_not_matter(filled, tmp_path) -> None:
    """All at once, or inputs and results day by day, from the last to the first and some twice."""
    whole, copier, whale = filled
    other = Warehouse(tmp_path / "b")
    for n in (8, 3, 7, 6, 5, 4, 3, 2, 1, 0):
        day = T0 + n * DAY
        inside = [{t: p for t, p in points.items() if day <= t <= day + timedelta(days=1)} for points in (copier, whale)]
        points_batch(other, *inside)
        compute_quality(other, WALLETS, day, day + DAY)
    assert len(stored(whole)) == 9 * len(WINDOWS)
    assert stored(other) == stored(whole)


def test_computing_days_again_changes_nothing(filled) -> None:
    warehouse, _, _ = filled
    before = stored(warehouse)
    result = compute_quality(warehouse, WALLETS, T0 + 2 * DAY, T0 + 5 * DAY)
    assert stored(warehouse) == before
    assert result.later_days == 4
    assert [row["day"] for row in result.rows] == [T0 + n * DAY for n in (2, 3, 4) for _ in WINDOWS]


def test_a_revised_point_reaches_the_later_windows(filled) -> None:
    warehouse, copier, _ = filled
    points_batch(warehouse, {T0 + DAY: copier[T0 + DAY] + 1000}, {})
    compute_quality(warehouse, WALLETS, T0 + DAY, T0 + 2 * DAY)
    with warehouse.read() as con:
        kept = con.execute(
            "SELECT copier_pnl FROM copy_quality_daily WHERE window_days = 7 "
            f"AND day = {literal(T0 + 7 * DAY)}"  # its window opens at the revised point
        ).fetchall()
    assert kept == [(pytest.approx(copier[T0 + 8 * DAY] - copier[T0 + DAY] - 1000),)]


def test_another_pair_of_wallets_keeps_its_rows(filled) -> None:
    warehouse, _, _ = filled
    before = stored(warehouse)
    compute_quality(warehouse, Wallets(WHALE, COPIER, 0.1), T0, T0 + DAY)
    assert set(before) < set(stored(warehouse))
    assert len(stored(warehouse)) == len(before) + len(WINDOWS)


def test_reasons_are_stored_as_json(filled) -> None:
    warehouse, _, _ = filled
    with warehouse.read() as con:
        for reasons, gap in con.execute("SELECT reasons, gap FROM copy_quality_daily").fetchall():
            assert ("gap" in json.loads(reasons)) == (gap is None)
