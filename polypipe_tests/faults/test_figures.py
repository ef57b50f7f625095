"""The table of `docs/reliability.md`."""

import pytest

from polypipe_tests.faults.figures import BEGIN, END, Figures, read, write_table


def test_figures_of_all_workers_become_one_ordered_table(tmp_path):
    Figures(tmp_path).add(2, "daemon killed", 3, "back by itself", 4.25)
    (tmp_path / "other.jsonl").write_text(
        '{"row": 1, "fault": "run killed", "injected": 1000, "held": "files whole", "recovery": null, "lost": "nothing"}\n'
    )
    document = tmp_path / "d.md"
    document.write_text(f"# Before\n{BEGIN}\nold\n{END}\nafter\n")
    write_table(document, read(tmp_path))
    text = document.read_text()
    assert text.startswith("# Before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert text.index("| run killed | 1,000 | files whole |  | nothing |") < text.index(
        "| daemon killed | 3 | back by itself | 4.2 s |"
    )
    write_table(document, read(tmp_path))
    assert document.read_text() == text
    write_table(document, read(tmp_path), ["`test_clock.py`: faketime is not installed"])
    assert "\nNot run: `test_clock.py`: faketime is not installed\n" in document.read_text()


def test_a_document_without_marks_is_refused(tmp_path):
    (tmp_path / "d.md").write_text("nothing")
    with pytest.raises(ValueError, match="has no lines"):
        write_table(tmp_path / "d.md", [])
