"""The worked example in docs/ equals the output of its script."""

import importlib.util
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from polypipe.attribution.accounting import explain
from polypipe.attribution.fills import CopyFill
from polypipe.attribution.marks import Marks
from polypipe.attribution.parts import joined
from polypipe.polymarket.activity_types import ACTIVITY_TYPES

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("copy_quality_day", DOCS / "copy_quality_day.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_page_and_picture_equal_the_scripts_output(script) -> None:
    example = script.simulate()
    page = script.PAGE.read_text("utf-8")
    assert script.page(page, example) == page, "run docs/copy_quality_day.py"
    picture = script.PICTURE.read_text("utf-8")
    assert script.picture(example) == picture, "run docs/copy_quality_day.py"
    texts = [element.text for element in ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert script.money(example.gap["uncopied_exits"]) in texts


def test_the_page_lists_every_type_of_activity_with_its_treatment(script) -> None:
    page = script.PAGE.read_text("utf-8")
    section = page.partition("\n## Types of activity\n\n")[2].partition("\n## ")[0]
    head, line, *rows = section.partition("\n\n")[0].splitlines()
    assert (head, line) == ("| type | treatment |", "|---|---|")
    assert rows == [f"| {name} | *{entry.treatment}*: {entry.meaning} |" for name, entry in ACTIVITY_TYPES.items()]
    assert not any("|" in entry.meaning for entry in ACTIVITY_TYPES.values()), "a bar would begin another cell"


def test_the_example_of_proportional_closing_is_what_the_accounting_does(script) -> None:
    missed = [(10.0, "breaker", 1000.0, 0.40), (20.0, "unfilled", 3000.0, 0.50)]
    fills = [CopyFill(t, "T", "BUY", why, q, p, 0.0, 0.1, 0.0, None, 0.0, "c") for t, why, q, p in missed]
    by_hand = CopyFill(30.0, "T", "BUY", None, None, None, None, 0.1, 200.0, 0.60, 0.0, "c")
    marks = Marks({"T": [(90.0, 0.70)]})
    (alone,) = explain(fills, (), marks, [(0.0, 100.0, 0.1)])
    (day,) = explain([*fills, by_hand], (), marks, [(0.0, 100.0, 0.1)])
    page = script.PAGE.read_text("utf-8")
    for (_, why, q, p), oldest_first in zip(missed, (100.0, 100.0), strict=True):
        left, usd = -0.1 * q, day.parts[f"missed_{why}"]
        closed = (usd - alone.parts[f"missed_{why}"]) / (0.70 - 0.60)
        first = left * (0.70 - p) + oldest_first * (0.70 - 0.60)
        assert f"| {why} | {left:.0f} | {closed:.0f} | {usd:.2f} | {first:.2f} |" in page
    assert f"| sum | -400 | 200 | {day.total:.2f} | {day.total:.2f} |" in page
    assert day.parts["own"] == 0


def test_the_example_of_a_changed_ratio_is_what_the_accounting_does(script) -> None:
    fill = CopyFill(10.0, "T", "BUY", None, 1000.0, 0.40, 0.0, 0.08, 80.0, 0.40, 0.0, "c")
    marks = Marks({"T": [(45.0, 0.50), (90.0, 0.70)]})
    day = joined([*explain([fill], (), marks, [(0.0, 50.0, 0.08), (50.0, 100.0, 0.05)])])
    made, expected = 80 * (0.70 - 0.40), 0.08 * 1000 * (0.50 - 0.40) + 0.05 * 1000 * (0.70 - 0.50)
    assert {part: round(usd, 2) for part, usd in day.parts.items() if abs(usd) > 1e-9} == {"ratio_change": 6.00}
    assert day.total == pytest.approx(made - expected)
    page = script.PAGE.read_text("utf-8")
    for text in (f"= ${made:.2f}", f"${expected:.2f}", f"gap of ${day.total:.2f}"):
        assert text in page.partition("**Example of a changed ratio.**")[2].partition("\n\n")[0]
