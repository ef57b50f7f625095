"""Logs that were replaced, moved, truncated or rewritten in place: every line is read once."""

import os
import shutil
from itertools import accumulate

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from polypipe.bot.ingest import ingest
from polypipe.bot.logs import TRADE_LOG
from polypipe.warehouse import Warehouse
from polypipe_tests.bot.support import HEADER, append, log_lines, raws, text


def test_log_with_another_first_line_is_another_log(warehouse, path):
    path.write_text(HEADER + text(log_lines(30)))
    ingest(warehouse, TRADE_LOG, path)
    inode = path.stat().st_ino
    with path.open("r+") as file:  # as copytruncate does; the new log outgrows the old one before it is read
        file.truncate()
        file.write(HEADER + text(log_lines(60, start=30)))
    assert path.stat().st_ino == inode
    assert ingest(warehouse, TRADE_LOG, path).began == ["rotated"]
    assert raws(warehouse) == sorted(log_lines(90))


def test_log_moved_to_another_disk_continues(warehouse, path):
    path.write_text(HEADER + text(log_lines(30)))
    ingest(warehouse, TRADE_LOG, path)
    shutil.copy(path, path.with_suffix(".copy"))
    path.unlink()
    path.with_suffix(".copy").rename(path)
    append(path, text(log_lines(2, start=30)))
    report = ingest(warehouse, TRADE_LOG, path)
    assert (report.rows, report.began) == (2, [])
    assert raws(warehouse) == sorted(log_lines(32))


@pytest.mark.slow
@pytest.mark.parametrize("cut", [0, 3, 40])
def test_truncated_log_continues_after_its_last_known_line(warehouse, path, cut):
    path.write_text(HEADER + text(log_lines(30)))
    ingest(warehouse, TRADE_LOG, path)
    kept = HEADER + text(log_lines(10)) + log_lines(1, start=10)[0][:cut]
    os.truncate(path, len(kept.encode()))
    append(path, "\n" if cut else "")
    append(path, text(log_lines(4, start=100)))
    report = ingest(warehouse, TRADE_LOG, path)
    assert report.began == ["truncated"]
    torn = [log_lines(1, start=10)[0][:cut]] if cut else []
    assert raws(warehouse) == sorted(log_lines(30) + torn + log_lines(4, start=100))
    os.truncate(path, len((HEADER + text(log_lines(5))).encode()))  # once more, to before where it was cut
    append(path, text(log_lines(2, start=200)))
    assert ingest(warehouse, TRADE_LOG, path).rows == 2
    assert ingest(warehouse, TRADE_LOG, path).rows == 0
    assert raws(warehouse) == sorted(log_lines(30) + torn + log_lines(4, start=100) + log_lines(2, start=200))


def test_truncated_log_that_grew_again_is_read_from_the_first_difference(warehouse, path):
    path.write_text(HEADER + text(log_lines(10)))
    ingest(warehouse, TRADE_LOG, path)
    path.write_text(HEADER + text([*log_lines(4), *log_lines(20, start=50)]))
    report = ingest(warehouse, TRADE_LOG, path)
    assert (report.rows, report.began) == (20, ["rewritten"])
    assert ingest(warehouse, TRADE_LOG, path).rows == 0


def placed(content):
    """(offset, line) pairs: the same line at the same offset is one row, even if another line was there in between."""
    starts = accumulate((len(one) + 1 for one in content), initial=0)
    return set(zip(starts, content, strict=False))


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 40), st.integers(0, 6)), min_size=1, max_size=4))
@hypothesis_settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example([(3, 1, 1), (3, 0, 1), (3, 1, 1)])  # the same fragment at the same place, with another line there in between
@example([(3, 1, 1), (3, 1, 1)])
def test_every_line_ever_seen_is_one_row_however_the_log_is_truncated(tmp_path_factory, cuts):
    directory = tmp_path_factory.mktemp("cuts")
    warehouse, path = Warehouse(directory / "home"), directory / "matches_optimized.csv"
    now, written = log_lines(8), 8
    path.write_text(text(now))
    ever = placed(now)
    ingest(warehouse, TRADE_LOG, path)
    for keep, torn, more in cuts:
        new = log_lines(more, start=written)
        fragment = [now[keep][:torn]] if keep < len(now) and torn and more else []
        now = [*now[: max(keep, 1)], *([] if keep < 1 else fragment), *new]
        ever |= placed(now)
        written += more
        path.write_text(text(now))
        ingest(warehouse, TRADE_LOG, path)
        assert raws(warehouse) == sorted(text for _, text in ever)
