"""Logs that were rotated, copied, or shortened at their beginning while nobody read: no line lost, none twice."""

import os
import shutil
from pathlib import Path

import pytest

from polypipe.bot.grammar import TRADE_LOG_HEADER
from polypipe.bot.ingest import ingest
from polypipe.bot.logs import TRADE_LOG
from polypipe_tests.bot.corpus import line
from polypipe_tests.bot.support import log_lines, raws, text

HEADER = f"{TRADE_LOG_HEADER}\n"


def rotate(path: Path) -> None:
    """As logrotate does: .2 becomes .3, .1 becomes .2, the log .1."""
    for number in range(8, 0, -1):
        if (old := Path(f"{path}.{number}")).exists():
            old.rename(f"{path}.{number + 1}")
    path.rename(f"{path}.1")


def write(path: Path, start: int, end: int) -> None:
    """Append lines, with the header to a new file as the bot does."""
    new = not path.exists()
    with path.open("a", encoding="utf-8") as file:
        file.write((HEADER if new else "") + text(log_lines(end - start, start=start)))


def test_logs_that_came_and_went_between_two_readings_are_read(warehouse, path):
    write(path, 0, 30)
    ingest(warehouse, TRADE_LOG, path)
    write(path, 30, 35)
    for start in (35, 50, 60):
        rotate(path)
        write(path, start, start + 10)
    shutil.copy(f"{path}.3", f"{path}.bak")
    reading = ingest(warehouse, TRADE_LOG, path)
    assert (reading.rows, reading.began) == (35, ["rotated"] * 3)
    assert raws(warehouse) == sorted(log_lines(45) + log_lines(20, start=50))
    assert ingest(warehouse, TRADE_LOG, path).rows == 0
    write(path, 70, 72)
    rotate(path)
    write(path, 72, 75)
    assert ingest(warehouse, TRADE_LOG, path).rows == 5


def test_a_reading_that_stopped_between_two_rotated_logs_goes_on(warehouse, path, monkeypatch):
    write(path, 0, 10)
    ingest(warehouse, TRADE_LOG, path)
    for start in (10, 20, 30):
        rotate(path)
        write(path, start, start + 10)
    real, opened = Path.open, []

    def dies_at_the_second(self, *mode, **other):
        if self.name.endswith(".1"):
            opened.append(self)
            if len(opened) == 2:  # the first time it is looked for, the second it is read
                raise OSError("as if killed")
        return real(self, *mode, **other)

    monkeypatch.setattr(Path, "open", dies_at_the_second)
    with pytest.raises(OSError, match="killed"):
        ingest(warehouse, TRADE_LOG, path)
    monkeypatch.undo()
    assert raws(warehouse) == sorted(log_lines(20))
    assert ingest(warehouse, TRADE_LOG, path).rows == 20
    assert raws(warehouse) == sorted(log_lines(40))


def test_older_logs_and_copies_beside_the_log_are_left_alone(warehouse, path):
    old = line(time="2026-11-18 10:00:00.000")
    Path(f"{path}.9").write_text(HEADER + text([old]))
    Path(f"{path}.notes").write_text("nothing that the bot wrote\n")
    Path(f"{path}.gz").write_bytes(b"\x1f\x8b\x08\x00 packed \xff\n")
    write(path, 0, 20)
    ingest(warehouse, TRADE_LOG, path)
    Path(f"{path}.tail").write_text(text(log_lines(20)[12:]))  # begins with a line that was read
    rotate(path)
    write(path, 20, 25)
    shutil.copy(path, f"{path}.copy")
    assert ingest(warehouse, TRADE_LOG, path).rows == 5
    assert raws(warehouse) == sorted(log_lines(25))


@pytest.mark.parametrize("new", ["", HEADER])
def test_the_rest_is_read_before_the_new_log_has_a_line(warehouse, path, new):
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


def test_copied_and_truncated(warehouse, path):
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


@pytest.mark.parametrize("header", ["", HEADER])
def test_a_log_whose_oldest_lines_were_taken_away_goes_on(warehouse, path, header):
    write(path, 0, 40)
    ingest(warehouse, TRADE_LOG, path)
    now = log_lines(40)
    for keep, more in ((20, 5), (18, 0), (15, 3), (2, 1)):  # as `tail -n 20` does, again and again
        now = now[-keep:] + log_lines(more, start=100 + 10 * more)
        path.write_text(header + text(now))
        reading = ingest(warehouse, TRADE_LOG, path)
        assert (reading.rows, reading.began) == (more, ["truncated"])
        assert ingest(warehouse, TRADE_LOG, path).rows == 0
    new = [one for more in (5, 3, 1) for one in log_lines(more, start=100 + 10 * more)]
    assert raws(warehouse) == sorted(log_lines(40) + new)


def test_a_header_that_comes_or_goes_moves_the_lines_and_makes_none_new(warehouse, path):
    write(path, 0, 9)
    ingest(warehouse, TRADE_LOG, path)
    for header in ("", HEADER):
        path.write_text(header + text(log_lines(9)))
        assert ingest(warehouse, TRADE_LOG, path).rows == 0


def test_what_came_after_the_oldest_lines_were_taken_away_is_read_under_another_name_too(warehouse, path):
    write(path, 0, 9)
    ingest(warehouse, TRADE_LOG, path)
    path.write_text(HEADER + text(log_lines(6, start=5)))
    rotate(path)
    write(path, 11, 13)
    assert ingest(warehouse, TRADE_LOG, path).rows == 4
    assert raws(warehouse) == sorted(log_lines(13))


def test_lines_without_a_newline_in_between_are_known_again(warehouse, path):
    now = log_lines(6)
    path.write_text(HEADER + "".join(now[:4]) + "\n" + "".join(now[4:]) + "\n")
    assert ingest(warehouse, TRADE_LOG, path).rows == 6
    path.write_text("".join(now[4:]) + "\n" + text(log_lines(1, start=6)))
    assert ingest(warehouse, TRADE_LOG, path).rows == 1
