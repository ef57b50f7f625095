"""Logs rotated, copied or shortened between two reads: every line is read once."""

import os
import shutil
from pathlib import Path

import pytest

from polypipe.bot.ingest import ingest
from polypipe.bot.logs import TRADE_LOG
from polypipe_tests.bot.corpus import line
from polypipe_tests.bot.support import HEADER, log_lines, raws, text


def rotate(path: Path) -> None:
    """Rotate as logrotate does: .2 becomes .3, .1 becomes .2, the log becomes .1."""
    for number in range(8, 0, -1):
        if (old := Path(f"{path}.{number}")).exists():
            old.rename(f"{path}.{number + 1}")
    path.rename(f"{path}.1")


def write(path: Path, start: int, end: int) -> None:
    """Append lines; a new file gets the header first, as from the bot."""
    new = not path.exists()
    with path.open("a", encoding="utf-8") as file:
        file.write((HEADER if new else "") + text(log_lines(end - start, start=start)))


@pytest.mark.slow
def test_logs_rotated_several_times_between_two_reads_are_all_read(warehouse, path):
    write(path, 0, 30)
    ingest(warehouse, TRADE_LOG, path)
    write(path, 30, 35)
    for start in (35, 50, 60):
        rotate(path)
        write(path, start, start + 10)
    shutil.copy(f"{path}.3", f"{path}.bak")
    report = ingest(warehouse, TRADE_LOG, path)
    assert (report.rows, report.began) == (35, ["rotated"] * 3)
    assert raws(warehouse) == sorted(log_lines(45) + log_lines(20, start=50))
    assert ingest(warehouse, TRADE_LOG, path).rows == 0
    write(path, 70, 72)
    rotate(path)
    write(path, 72, 75)
    assert ingest(warehouse, TRADE_LOG, path).rows == 5


def test_read_that_stopped_between_two_rotated_logs_continues(warehouse, path, monkeypatch):
    write(path, 0, 10)
    ingest(warehouse, TRADE_LOG, path)
    for start in (10, 20, 30):
        rotate(path)
        write(path, start, start + 10)
    real, opened = Path.open, []

    def dies_at_the_second(self, *mode, **other):
        if self.name.endswith(".1"):
            opened.append(self)
            if len(opened) == 2:  # first to find it, second to read it
                raise OSError("as if killed")
        return real(self, *mode, **other)

    monkeypatch.setattr(Path, "open", dies_at_the_second)
    with pytest.raises(OSError, match="killed"):
        ingest(warehouse, TRADE_LOG, path)
    monkeypatch.undo()
    assert raws(warehouse) == sorted(log_lines(20))
    assert ingest(warehouse, TRADE_LOG, path).rows == 20
    assert raws(warehouse) == sorted(log_lines(40))


def test_older_logs_and_copies_beside_the_log_are_not_read(warehouse, path):
    old = line(time="2026-11-18 10:00:00.000")
    Path(f"{path}.9").write_text(HEADER + text([old]))
    Path(f"{path}.notes").write_text("not written by the bot\n")
    Path(f"{path}.gz").write_bytes(b"\x1f\x8b\x08\x00 packed \xff\n")
    write(path, 0, 20)
    ingest(warehouse, TRADE_LOG, path)
    Path(f"{path}.tail").write_text(text(log_lines(20)[12:]))  # begins with a line that was read
    rotate(path)
    write(path, 20, 25)
    shutil.copy(path, f"{path}.copy")
    assert ingest(warehouse, TRADE_LOG, path).rows == 5
    assert raws(warehouse) == sorted(log_lines(25))


@pytest.mark.slow
@pytest.mark.parametrize("new", ["", HEADER])
def test_rest_of_a_rotated_log_is_read_before_the_new_log_has_a_line(warehouse, path, new):
    write(path, 0, 10)
    ingest(warehouse, TRADE_LOG, path)
    write(path, 10, 13)
    rotate(path)
    path.write_text(new)
    assert ingest(warehouse, TRADE_LOG, path).rows == 3
    assert ingest(warehouse, TRADE_LOG, path).rows == 0
    path.write_text(HEADER + text(log_lines(2, start=13)))
    assert ingest(warehouse, TRADE_LOG, path).rows == 2
    assert raws(warehouse) == sorted(log_lines(15))


def test_log_rotated_by_copy_and_truncate_is_read_completely(warehouse, path):
    write(path, 0, 10)
    ingest(warehouse, TRADE_LOG, path)
    for start in (10, 30):
        write(path, start, start + 4)
        rotate_by_copy(path)
        write(path, start + 4, start + 6)
        assert ingest(warehouse, TRADE_LOG, path).rows == 6
    assert raws(warehouse) == sorted(log_lines(16) + log_lines(6, start=30))


def rotate_by_copy(path: Path) -> None:
    shutil.copy(path, f"{path}.1")
    os.truncate(path, 0)


@pytest.mark.slow
@pytest.mark.parametrize("header", ["", HEADER])
def test_log_shortened_at_its_beginning_continues(warehouse, path, header):
    write(path, 0, 40)
    ingest(warehouse, TRADE_LOG, path)
    now = log_lines(40)
    for keep, more in ((20, 5), (18, 0), (15, 3), (2, 1)):  # as repeated `tail -n 20` does
        now = now[-keep:] + log_lines(more, start=100 + 10 * more)
        path.write_text(header + text(now))
        report = ingest(warehouse, TRADE_LOG, path)
        assert (report.rows, report.began) == (more, ["truncated"])
        assert ingest(warehouse, TRADE_LOG, path).rows == 0
    new = [one for more in (5, 3, 1) for one in log_lines(more, start=100 + 10 * more)]
    assert raws(warehouse) == sorted(log_lines(40) + new)


def test_adding_or_removing_the_header_creates_no_rows(warehouse, path):
    write(path, 0, 9)
    ingest(warehouse, TRADE_LOG, path)
    for header in ("", HEADER):
        path.write_text(header + text(log_lines(9)))
        assert ingest(warehouse, TRADE_LOG, path).rows == 0


def test_new_lines_of_a_shortened_and_rotated_log_are_read(warehouse, path):
    write(path, 0, 9)
    ingest(warehouse, TRADE_LOG, path)
    path.write_text(HEADER + text(log_lines(6, start=5)))
    rotate(path)
    write(path, 11, 13)
    assert ingest(warehouse, TRADE_LOG, path).rows == 4
    assert raws(warehouse) == sorted(log_lines(13))


def test_lines_without_a_newline_between_them_are_recognised(warehouse, path):
    now = log_lines(6)
    path.write_text(HEADER + "".join(now[:4]) + "\n" + "".join(now[4:]) + "\n")
    assert ingest(warehouse, TRADE_LOG, path).rows == 6
    path.write_text("".join(now[4:]) + "\n" + text(log_lines(1, start=6)))
    assert ingest(warehouse, TRADE_LOG, path).rows == 1
