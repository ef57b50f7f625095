"""The ratio in effect at any time, by every kind of evidence."""

from datetime import UTC, date, datetime, timedelta

import pytest

from polypipe.history.ratios import RatioChange, Ratios, RatioSpan, points

DAY, HOUR = 86_400.0, 3600.0
FIRST = date(2026, 11, 10)
START = datetime(2026, 11, 10, tzinfo=UTC).timestamp()


def hour(n: int) -> int:
    """Hours since 1970 of the n-th hour."""
    return int(START // HOUR) + n


def day(n: int) -> date:
    return FIRST + timedelta(days=n)


def at(ratios: Ratios, *hours: float) -> list[float]:
    return [ratios(START + HOUR * n) for n in hours]


def test_without_evidence_the_present_setting_is_the_ratio() -> None:
    assert at(Ratios({}, {}, 0.05), 0, 99) == [0.05, 0.05]


def test_a_day_that_is_stored_keeps_its_ratio_when_the_setting_changes() -> None:
    """0.08 was stored with the first day. The setting is 0.05 now, which a day that is computed today gets."""
    assert at(Ratios({}, {day(0): 0.08}, 0.05), 0, 23.9, 24, 48) == [0.08, 0.08, 0.05, 0.05]


def test_days_before_the_first_evidence_have_its_ratio_and_not_the_present_setting() -> None:
    """A backfill of old days after 0.08 was changed to 0.05: the oldest snapshot has 0.08."""
    assert at(Ratios({hour(50): 0.08, hour(80): 0.05}, {}, 0.05), 0, 60, 85) == [0.08, 0.08, 0.05]


def test_between_two_ratios_the_earlier_one_counts_until_there_is_evidence_of_the_later_one() -> None:
    ratios = Ratios({hour(5): 0.08, hour(101): 0.05}, {}, 0.05)
    assert at(ratios, 50, 95.9, 101, 200) == [0.08, 0.08, 0.05, 0.05]
    # on the day of the next snapshot, that of the day counts
    assert at(ratios, 97) == [0.05]


def test_a_change_that_sizes_show_has_its_ratios_up_to_the_next_evidence() -> None:
    change = RatioChange(START + 30.5 * HOUR, 0.08, 0.05)
    ratios = Ratios({}, {day(0): 0.08, day(1): 0.05, day(2): 0.05, day(3): 0.03}, 0.02, [change])
    assert at(ratios, 10, 25, 30.4, 30.5, 50, 75, 99) == [0.08, 0.08, 0.08, 0.05, 0.05, 0.03, 0.02]
    assert ratios.changes(START, START + 5 * DAY) == [
        change, RatioChange(START + 3 * DAY, 0.05, 0.03, "setting"), RatioChange(START + 4 * DAY, 0.03, 0.02, "setting"),
    ]  # fmt: skip


def test_an_hour_has_the_ratio_of_its_end() -> None:
    """As that of its last snapshot; a change by sizes came before the first copy that shows it."""
    ratios = Ratios({hour(3): 0.1}, {}, 0.1, [RatioChange(START + 1.5 * HOUR, 0.2, 0.1)])
    assert ratios.spans(START, START + 4 * HOUR) == [
        RatioSpan(START, START + HOUR, 0.2, True), RatioSpan(START + HOUR, START + 4 * HOUR, 0.1, True),
    ]  # fmt: skip


def test_hours_of_days_with_snapshots_are_recorded() -> None:
    spans = Ratios({hour(30): 0.1}, {day(0): 0.1}, 0.1).spans(START, START + 3 * DAY)
    assert [(span.start - START, span.end - START, span.recorded) for span in spans] == [
        (0, DAY, False), (DAY, 2 * DAY, True), (2 * DAY, 3 * DAY, False),
    ]  # fmt: skip


def test_changes_that_snapshots_show_count_from_their_hour() -> None:
    ratios = Ratios({hour(n): 0.08 if n < 12 else 0.05 for n in range(24)}, {}, 0.05)
    assert ratios.changes(START, START + DAY) == [RatioChange(START + 12 * HOUR, 0.08, 0.05, "snapshots")]
    assert ratios.changes(START + DAY, START + 2 * DAY) == []


@pytest.mark.parametrize(
    ("days", "left"),
    [((0.08, 0.08, 0.05, 0.05), [(1, 0.08), (3, 0.05)]), ((0.08, 0.05, 0.08), [(0, 0.08), (1, 0.05), (2, 0.08)])],
)
def test_neighbouring_days_with_the_same_stored_ratio_are_one_point_of_evidence(days, left) -> None:
    found = points({}, {day(n): ratio for n, ratio in enumerate(days)})
    assert [(int((point.end - START) // DAY), point.ratio) for point in found] == left


def test_a_day_with_snapshots_is_known_by_them_alone() -> None:
    assert [point.ratio for point in points({hour(3): 0.1}, {day(0): 0.2})] == [0.1]
    assert at(Ratios({hour(3): 0.1}, {day(0): 0.2}, 0.3), 1, 20) == [0.1, 0.1]
