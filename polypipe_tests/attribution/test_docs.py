"""The worked example in docs/ equals the output of its script."""

import importlib.util
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

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
