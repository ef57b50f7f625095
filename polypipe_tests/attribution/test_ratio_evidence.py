"""Which changes of the ratio exact sizes show, and when a stored ratio was never in use."""

from datetime import UTC, date, datetime, timedelta

import pytest

from polypipe.attribution.habits import ClearPair
from polypipe.attribution.ratio_evidence import refuted_days, shown_changes
from polypipe.history.ratios import RatioChange

DAY, HOUR = 86_400.0, 3600.0
START = datetime(2026, 11, 10, tzinfo=UTC).timestamp()
DAYS = [date(2026, 11, 10) + timedelta(days=n) for n in range(9)]


def sizes(ratio: float, first: float, last: float, step: float = 1.0) -> list[ClearPair]:
    """Copies at a ratio, rounded down, every `step` hours of [first, last)."""
    found, n = [], first
    while n < last:
        whale = 500.0 + 37.3 * n
        found.append(ClearPair(START + HOUR * n, int(100 * ratio * whale) / 100 / whale, 5.0, whale))
        n += step
    return found


def test_a_change_between_two_stored_days_counts_from_the_first_size_that_shows_it() -> None:
    pairs = [*sizes(0.08, 0, 36), *sizes(0.05, 36, 48)]
    days = {DAYS[0]: 0.08, DAYS[1]: 0.05}
    change = RatioChange(START + 36 * HOUR, 0.08, 0.05)
    assert shown_changes(pairs, {}, days, 0.05) == [change]
    # also when both days were stored with the new ratio, as old versions did
    assert shown_changes(pairs, {}, dict.fromkeys(days, 0.05), 0.05) == [change]
    # and as long as the ratio stays
    days |= dict.fromkeys(DAYS[2:], 0.05)
    assert shown_changes([*pairs, *sizes(0.05, 48, 100)], {}, days, 0.05) == [change]


def test_a_change_without_sizes_is_not_shown() -> None:
    assert shown_changes(sizes(0.08, 0, 20), {}, {DAYS[0]: 0.08, DAYS[1]: 0.05}, 0.05) == []


def test_pairs_that_only_their_size_makes_clear_tell_when_a_known_ratio_began() -> None:
    """Clear pairs end at 10:00 and begin at 16:00; the bursts between them show the change at 12:15."""
    pairs = [*sizes(0.08, 0, 10), *sizes(0.05, 16, 24)]
    bursts = {0.08: sizes(0.08, 10, 12, 0.25), 0.05: sizes(0.05, 12.25, 16, 0.25)}
    days = {DAYS[0] - timedelta(days=1): 0.08, DAYS[0]: 0.05}
    (alone,) = shown_changes(pairs, {}, days, 0.05)
    (found,) = shown_changes(pairs, {}, days, 0.05, lambda ratio: bursts[ratio])
    assert [(change.t - START) / HOUR for change in (alone, found)] == [16, 12.25]


@pytest.mark.parametrize("pairs", [sizes(0.02, 0, 72), [*sizes(0.02, 0, 71), *sizes(0.08, 71, 72)]])
def test_a_stored_ratio_that_was_never_in_use_gives_way_to_the_corrected_setting(pairs) -> None:
    """Installed with 0.08 while the bot has always copied at 0.02, the setting by now. One size fits 0.08 by chance."""
    days = dict.fromkeys(DAYS[:3], 0.08) | {DAYS[3]: 0.02}
    assert refuted_days(pairs, {}, days, 0.02) == {*DAYS[:3]}


def test_a_stored_ratio_that_was_in_use_stays() -> None:
    days = {DAYS[0]: 0.08, DAYS[1]: 0.05}
    assert refuted_days([*sizes(0.08, 0, 30), *sizes(0.05, 30, 48)], {}, days, 0.05) == frozenset()
    assert refuted_days(sizes(0.05, 24, 48), {}, days, 0.05) == frozenset(), "no size of the first day tells anything"
    # neither a third ratio nor the present one is evidence against a stored day
    assert refuted_days(sizes(0.03, 0, 48), {}, days, 0.05) == frozenset()


def test_days_with_snapshots_are_never_refuted() -> None:
    hours = {int(START // HOUR) + n: 0.08 for n in range(24)}
    assert refuted_days(sizes(0.02, 0, 24), hours, {DAYS[0]: 0.08}, 0.02) == frozenset()


def test_days_before_the_first_snapshot_have_the_corrected_setting_if_sizes_show_it() -> None:
    """The first snapshots record 0.08, a setting that was wrong and is 0.02 now; before them the bot copied at 0.02."""
    hours = {int(START // HOUR) + 48: 0.08}
    assert shown_changes(sizes(0.02, 0, 60), hours, {}, 0.02)[0] == RatioChange(START + 48 * HOUR, 0.02, 0.08)
    assert shown_changes(sizes(0.03, 0, 48), hours, {}, 0.02) == [], "0.03 is no setting: the setting is wrong"
