"""The targets of docs/accuracy.md hold on these worlds. `make accuracy` measures all kinds."""

from dataclasses import replace

import pytest

from polypipe_tests.truth.product import matched, measured
from polypipe_tests.truth.report import missed
from polypipe_tests.truth.score import Score, add, add_fills
from polypipe_tests.truth.worlds import BY_NAME, make

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("name", "seed"), [("US evenings", 0), ("fees", 0)])
def test_two_days_meet_the_targets(name, seed, tmp_path) -> None:
    kind = replace(BY_NAME[name], days=2)
    world, score = make(kind, seed), Score()
    add(score, world, measured(world, tmp_path))
    assert missed(kind, score) == [], score.fills.wrong
    assert score.right_exits == len(score.exits), score.exits


@pytest.mark.parametrize(("name", "seed"), [("ratio changed", 0), ("ratio changed unseen", 3)])
def test_a_changed_ratio_costs_no_accuracy(name, seed, tmp_path) -> None:
    """The first day keeps its ratio when it is computed again after the change; the change is a part of the second."""
    kind = replace(BY_NAME[name], days=2)
    world, score = make(kind, seed), Score()
    found = measured(world, tmp_path)
    add(score, world, found)
    assert missed(kind, score) == [], score.fills.wrong
    assert [day.numbers["gap"] for day in score.days] == ["right", "right"]
    assert max(abs(day.unexplained) for day in score.days) < 0.01
    assert [abs(gap["ratio_change"]) > 0.01 for gap in found.gaps] == [False, True]
    note = "the ratio changed from 0.08 to 0.05 at 1"
    assert [any(text.startswith(note) for text in gap["notes"]) for gap in found.gaps] == [False, True]


@pytest.mark.parametrize(
    "name",
    [
        "calm",
        "bursts of distinct sizes",
        "clusters",
        "second whale",
        "joined copies",
        "late copies",
        "partial fills",
        "minimums",
    ],
)
def test_copied_fills_meet_the_targets(name, tmp_path) -> None:
    kind = replace(BY_NAME[name], days=2)
    world, score = make(kind, 3), Score()
    add_fills(score, world, matched(world, tmp_path))
    assert missed(kind, score) == [], score.fills.wrong
