"""The ratio in effect by hour and the copier's habit, for a changed and for a wrong ratio."""

import json
from datetime import timedelta

import pytest

from polypipe.attribution.copy_fills import fill_rows
from polypipe.attribution.daily_gap import gap_rows
from polypipe.attribution.habits import LEAST_CLEAR_PAIRS, USUAL_LATENCY, ClearPair, Habit, Habits
from polypipe.attribution.ratio_changes import change_notes
from polypipe.history.ratios import Ratios
from polypipe.history.stored_ratios import read_evidence
from polypipe_tests.attribution.tables import COPIER, T0, WALLETS, WHALE, insert, known_days, measured, trade

DAY, HOUR, S = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
START = T0.timestamp()


def pairs(count, day, ratio, latency=4.0):
    """Clear pairs of the first hours of a day."""
    return [ClearPair(START + 86_400 * day + 900 * n, ratio, latency, 1000.0) for n in range(count)]


def snapshot(con, at, ratio) -> None:
    insert(
        con, "snapshots", id=int(at.timestamp()), timestamp=at, user1_address=COPIER, user2_address=WHALE,
        scaling_ratio=ratio, origin="polypipe", reasons="{}",
    )  # fmt: skip


def test_the_ratio_comes_from_the_hour_then_the_day_then_the_setting() -> None:
    hour = int(START // 3600)
    habits = Habits(Ratios({hour + 5: 0.2, hour + 9: 0.3}, {(T0 + DAY).date(): 0.05}, 0.1), [])
    assert [habits.ratio(START + 3600 * n) for n in (4, 5, 6, 9, 24, 48)] == [0.3, 0.2, 0.3, 0.3, 0.05, 0.1]
    assert habits.at(START + 5.5 * 3600) == Habit(0.2, USUAL_LATENCY, 0)


def test_clear_pairs_of_the_day_correct_a_wrong_setting() -> None:
    """The bot copies at 0.08. The setting is 0.05 and is corrected on the second day, which has many pairs."""
    found = [*pairs(2 * LEAST_CLEAR_PAIRS, 0, 0.08), *pairs(LEAST_CLEAR_PAIRS, 1, 0.08, 6.0)]
    days = {T0.date(): 0.05, (T0 + DAY).date(): 0.08}
    habits = Habits(Ratios({}, days, 0.08), found)
    assert habits.at(START) == Habit(pytest.approx(0.08), 4.0, 2 * LEAST_CLEAR_PAIRS)
    assert habits.at(START + 86_400) == Habit(pytest.approx(0.08), 6.0, LEAST_CLEAR_PAIRS)


def test_a_day_with_few_pairs_uses_the_week_before() -> None:
    """Ratio and setting changed from 0.04 to 0.1 together: earlier orders are right at the earlier ratio."""
    found = [*pairs(LEAST_CLEAR_PAIRS, 0, 0.04), *pairs(LEAST_CLEAR_PAIRS - 1, 1, 0.1)]
    habits = Habits(Ratios({}, {T0.date(): 0.04}, 0.1), found)
    assert habits.at(START + 86_400) == Habit(pytest.approx(0.1), 4.0, 2 * LEAST_CLEAR_PAIRS - 1)
    assert habits.at(START + 9 * 86_400).pairs == 0


def test_fills_around_a_changed_ratio_are_all_full_copies(con) -> None:
    """From 0.04 to 0.1, in the setting and in the bot: all fills before and after it are whole copies, none is the
    copier's own, and nothing is missed or in excess."""
    known_days(con, T0 - DAY, T0)
    measured(con, T0, 100.0, 1000.0, ratio=0.1, expected_pnl=70.0)
    for hour in range(24):
        ratio = 0.04 if hour < 12 else 0.1
        snapshot(con, T0 + hour * HOUR + 59 * 60 * S, ratio)
        trade(con, WHALE, T0 + hour * HOUR, 1000, 0.40, token=f"T{hour}")
        trade(con, COPIER, T0 + hour * HOUR + 5 * S, 1000 * ratio, 0.40, token=f"T{hour}")
        trade(con, WHALE, T0 + hour * HOUR + 1800 * S, 100, 0.50, token=f"T{hour}")
        trade(con, COPIER, T0 + hour * HOUR + 1805 * S, 100 * ratio, 0.50, token=f"T{hour}")
    for n in range(50):
        trade(con, WHALE, T0 - DAY + n * 900 * S, 1000, 0.40, token=f"B{n}")
        trade(con, COPIER, T0 - DAY + n * 900 * S + 5 * S, 40, 0.40, token=f"B{n}")
        snapshot(con, T0 - DAY + n * 900 * S, 0.04)
    rows = fill_rows(con, WALLETS, T0, T0 + DAY)
    assert {(row["status"], row["ambiguous"]) for row in rows} == {("copied", False)}
    assert len(rows) == 48
    assert [row["ratio"] for row in rows] == [0.04] * 24 + [0.1] * 24
    for row in rows:
        insert(con, "copy_fills", **{name: value for name, value in row.items() if value is not None})
    ((row,), _) = gap_rows(con, WALLETS, T0, T0 + DAY)
    assert {name: row[name] for name in ("missed_unfilled", "missed_unknown", "excess", "own")} == pytest.approx(
        {"missed_unfilled": 0.0, "missed_unknown": 0.0, "excess": 0.0, "own": 0.0}, abs=1e-9
    )
    assert "the ratio changed from 0.04 to 0.1 at 12:00 UTC, shown by snapshots" in json.loads(row["notes"])


def test_a_change_between_two_days_is_noted_on_the_second(con) -> None:
    snapshot(con, T0 - 60 * S, 0.04)
    snapshot(con, T0 + 60 * S, 0.1)
    notes = change_notes(read_evidence(con, WALLETS).ratios(WALLETS.ratio), T0, T0 + DAY)
    assert notes == {T0: ["the ratio changed from 0.04 to 0.1 at 00:00 UTC, shown by snapshots"]}
    assert change_notes(read_evidence(con, WALLETS).ratios(WALLETS.ratio), T0 + DAY, T0 + 2 * DAY) == {}


def test_an_old_change_by_sizes_ends_with_the_next_snapshot(con) -> None:
    """Sizes showed 0.02 to 0.04 3 weeks ago, snapshots 0.1 since: no change on the day, and 0.1 before its first one."""
    insert(
        con, "ratio_changes", user1_address=COPIER, user2_address=WHALE, changed_at=T0 - 21 * DAY,
        ratio_before=0.02, ratio_after=0.04,
    )  # fmt: skip
    snapshot(con, T0 - 15 * DAY, 0.1)
    snapshot(con, T0 + 12 * HOUR, 0.1)
    trade(con, WHALE, T0, 1000, 0.40)
    assert change_notes(read_evidence(con, WALLETS).ratios(WALLETS.ratio), T0, T0 + DAY) == {}
    assert [row["ratio"] for row in fill_rows(con, WALLETS, T0, T0 + DAY)] == [WALLETS.ratio]
