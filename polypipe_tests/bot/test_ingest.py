"""Each line of a growing log is read exactly once, whatever happens to the file."""

import hashlib
from datetime import UTC, datetime

import pytest

from polypipe.bot import ingest as module
from polypipe.bot import lines as lines_module
from polypipe.bot.grammar import TRADE_LOG_HEADER
from polypipe.bot.ingest import ingest
from polypipe.bot.logs import OWN_FILLS, TRADE_LOG
from polypipe.bot.own_fills import OWN_FILLS_HEADER
from polypipe.errors import PolypipeError
from polypipe.warehouse import WarehouseBusy
from polypipe.warehouse.gate import gate
from polypipe_tests.bot.corpus import TOKEN, TX, line, my
from polypipe_tests.bot.support import HEADER, append, log_lines, position, raws, rows, text


@pytest.mark.slow
def test_new_lines_are_read_once(warehouse, path):
    path.write_text(HEADER + text(log_lines(200)))
    first = ingest(warehouse, TRADE_LOG, path, batch_bytes=10_000)
    assert (first.rows, first.bytes, first.began) == (200, path.stat().st_size, ["first"])
    assert ingest(warehouse, TRADE_LOG, path).rows == 0
    append(path, text(log_lines(50, start=200)))
    again = ingest(warehouse, TRADE_LOG, path)
    assert (again.rows, again.began) == (50, [])
    assert raws(warehouse) == sorted(log_lines(250))
    assert position(warehouse) == (path.stat().st_size, 250, "first")


def test_lines_are_stored_once_although_their_position_was_lost_with_the_database(warehouse, path):
    path.write_text(HEADER + text(log_lines(100)))
    ingest(warehouse, TRADE_LOG, path)
    for file in warehouse.layout.published.glob("log_positions.*"):
        file.unlink()
    warehouse.layout.database.unlink()
    append(path, text(log_lines(5, start=100)))
    ingest(warehouse, TRADE_LOG, path)
    assert raws(warehouse) == sorted(log_lines(105))
    append(path, text(log_lines(5, start=105)))
    ingest(warehouse, TRADE_LOG, path)
    assert raws(warehouse) == sorted(log_lines(110))


def test_report_counts_outcomes_and_problems(warehouse, path):
    path.write_text(HEADER + text([*log_lines(3), line("what is this"), line(usd="x")]))
    report = ingest(warehouse, TRADE_LOG, path)
    assert report.outcomes == {"SENT": 3, "UNKNOWN": 1, "MOCK_ONLY": 1}
    assert report.with_problems == 1
    assert report.examples == [line("what is this"), line(usd="x")]
    assert report.last_logged == datetime(2026, 11, 20, 23, 50, 14, 2000, tzinfo=UTC)


def test_rows_have_the_offset_and_day_of_their_line(warehouse, path):
    path.write_text(HEADER + text(log_lines(100)))
    ingest(warehouse, TRADE_LOG, path)
    content = path.read_bytes()
    for offset, raw in rows(warehouse, "SELECT byte_offset, raw FROM trade_log"):
        assert content[offset:].startswith(raw.encode() + b"\n")
    assert rows(warehouse, "SELECT count(DISTINCT log_id), count(DISTINCT byte_offset) FROM trade_log") == [(1, 100)]
    assert rows(warehouse, "SELECT count(*) FROM trade_log WHERE day <> date_trunc('day', logged_at)") == [(0,)]


def test_two_days_are_two_published_files(warehouse, path):
    path.write_text(text(log_lines(200)))
    ingest(warehouse, TRADE_LOG, path)
    assert [file.day.day for file in warehouse.current().tables["trade_log"].files] == [20, 21]


def test_log_without_a_header_is_read(warehouse, path):
    path.write_text(text(log_lines(3)))
    assert ingest(warehouse, TRADE_LOG, path).rows == 3


def test_repeated_headers_and_empty_lines_are_not_rows(warehouse, path):
    path.write_text(HEADER + text(log_lines(2)) + "\n  \r\n" + HEADER + text(log_lines(1, start=2)))
    assert ingest(warehouse, TRADE_LOG, path).rows == 3


@pytest.mark.slow
@pytest.mark.parametrize("content", ["", TRADE_LOG_HEADER, HEADER, f"{HEADER}2026-11-20 12:3"])
def test_log_without_a_complete_line_is_read_later(warehouse, path, content):
    path.write_text(content)
    assert ingest(warehouse, TRADE_LOG, path).rows == 0
    append(path, "")
    path.write_text(HEADER + text(log_lines(2)))
    assert ingest(warehouse, TRADE_LOG, path).rows == 2


def test_unknown_and_missing_columns_are_refused_by_name(warehouse, path):
    path.write_text("timestamp,block,colour,shares\n" + text(log_lines(1)))
    with pytest.raises(PolypipeError, match="unknown columns 'colour'; missing columns 'clob_asset_id'"):
        ingest(warehouse, TRADE_LOG, path)
    assert rows(warehouse) == []


def test_torn_line_is_read_once_its_newline_is_written(warehouse, path):
    whole, torn = log_lines(2)
    path.write_text(HEADER + text([whole]) + torn[:70])
    report = ingest(warehouse, TRADE_LOG, path)
    assert (report.rows, report.held_back) == (1, 70)
    append(path, torn[70:])
    assert ingest(warehouse, TRADE_LOG, path).held_back == len(torn)
    append(path, "\n")
    assert (ingest(warehouse, TRADE_LOG, path).rows, raws(warehouse)) == (1, sorted([whole, torn]))


def test_log_file_is_never_modified(warehouse, path):
    path.write_text(HEADER + text(log_lines(20)))
    path.chmod(0o444)
    before = path.stat()
    ingest(warehouse, TRADE_LOG, path)
    after = path.stat()
    assert (after.st_mtime_ns, after.st_size, after.st_ino) == (before.st_mtime_ns, before.st_size, before.st_ino)


def test_rotated_log_is_read_to_its_end_first(warehouse, path):
    path.write_text(HEADER + text(log_lines(30)))
    ingest(warehouse, TRADE_LOG, path)
    append(path, text(log_lines(5, start=30)))
    path.rename(path.with_suffix(".csv.1"))
    path.write_text(HEADER + text(log_lines(7, start=35)))
    report = ingest(warehouse, TRADE_LOG, path)
    assert (report.rows, report.began) == (12, ["rotated"])
    assert raws(warehouse) == sorted(log_lines(42))
    assert ingest(warehouse, TRADE_LOG, path).rows == 0


def test_unfinished_last_line_of_a_rotated_log_is_kept(warehouse, path):
    path.write_text(HEADER + text(log_lines(3)) + "2026-11-20 23:5")
    assert ingest(warehouse, TRADE_LOG, path).rows == 3
    path.rename(path.with_suffix(".csv.1"))
    path.write_text(HEADER + text(log_lines(2, start=3)))
    assert ingest(warehouse, TRADE_LOG, path).rows == 3
    torn = "SELECT raw, outcome, problems FROM trade_log WHERE problems IS NOT NULL"
    assert rows(warehouse, torn) == [("2026-11-20 23:5", "UNKNOWN", "columns,newline")]
    assert ingest(warehouse, TRADE_LOG, path).rows == 0


def test_bytes_that_are_not_utf8_are_kept(warehouse, path):
    bad = line("EXEC_FAIL: caf\xe9").encode("latin-1")
    path.write_bytes(bad + b"\n" + b"\x00\x01\xff\n")
    assert ingest(warehouse, TRADE_LOG, path).rows == 2
    stored = rows(warehouse, "SELECT raw, problems FROM trade_log ORDER BY byte_offset")
    assert [raw.encode("latin-1") for raw, _ in stored] == [bad, b"\x00\x01\xff"]
    assert [problems for _, problems in stored] == ["utf-8", "columns,utf-8"]


def test_row_with_an_unreadable_time_gets_the_day_of_the_row_before(warehouse, path):
    path.write_text(text([*log_lines(1), line(time="soon"), *log_lines(1, start=200)]))
    ingest(warehouse, TRADE_LOG, path)
    assert [day.day for (day,) in rows(warehouse, "SELECT day FROM trade_log ORDER BY byte_offset")] == [20, 20, 21]


@pytest.mark.parametrize("limit", [1 << 20, 20_000, 20_001, 20_002, 20_003])
def test_line_with_a_page_of_html_is_one_row_with_its_size_and_hash(warehouse, path, monkeypatch, limit):
    monkeypatch.setattr(lines_module, "MAX_LINE", limit)
    monkeypatch.setattr(lines_module, "READ_BYTES", 10_000)
    page = "<html>" + "é<p>" * 16_500
    long = line(f"403 Forbidden [SCALED] | {my()} | {page}", tx="0x" + "cd" * 32, time="2026-11-20 23:51:00.000")
    before, after = log_lines(2)
    path.write_text(text([before, long, after]), encoding="utf-8")
    assert ingest(warehouse, TRADE_LOG, path).rows == 3
    columns = "outcome, http_status, length(reason), tx_hash, is_live, best_price, problems, raw, raw_bytes, raw_sha256"
    (row,) = rows(warehouse, f"SELECT {columns} FROM trade_log WHERE raw_bytes IS NOT NULL")
    assert row[:6] == ("REJECTED", 403, 1000, "0x" + "cd" * 32, False, 0.53)
    assert row[6] is None
    assert long.startswith(row[7][:100])
    assert 4090 <= len(row[7].encode()) <= 4096
    assert row[8:] == (len(long.encode()), hashlib.sha256(long.encode()).hexdigest())
    assert ingest(warehouse, TRADE_LOG, path).rows == 0


def test_log_after_a_long_line_is_found_again_when_it_was_cut(warehouse, path):
    long = line("EXEC_FAIL: " + "x" * 9000, time="2026-11-20 23:51:00.000")
    path.write_text(text([*log_lines(2), long]))
    ingest(warehouse, TRADE_LOG, path)
    path.write_text(text([*log_lines(2), long, *log_lines(1, start=5)]))
    report = ingest(warehouse, TRADE_LOG, path)
    assert (report.rows, report.began) == (1, [])
    path.write_text(text([*log_lines(2), long, *log_lines(2, start=7)]))  # a line after the long one changed
    report = ingest(warehouse, TRADE_LOG, path)
    assert (report.rows, report.began) == (2, ["rewritten"])
    path.write_text(text([long, *log_lines(2, start=7), *log_lines(1, start=9)]))  # the first lines were removed
    report = ingest(warehouse, TRADE_LOG, path)
    assert (report.rows, report.began) == (1, ["truncated"])


def test_read_of_a_busy_warehouse_stores_nothing_and_loses_nothing(warehouse, path, monkeypatch):
    monkeypatch.setattr(module, "MERGE_WAIT_SECONDS", 0.05)
    path.write_text(HEADER + text(log_lines(20)))
    warehouse.merge()
    with gate(warehouse.layout.lock, float("inf")), pytest.raises(WarehouseBusy):
        ingest(warehouse, TRADE_LOG, path)
    assert ingest(warehouse, TRADE_LOG, path).rows == 20


def test_lines_of_waiting_batches_are_not_read_again(warehouse, path, monkeypatch):
    path.write_text(HEADER + text(log_lines(100)))
    real, calls = warehouse.merge, []

    def busy_once_written(wait=20.0, own=None):
        calls.append(own)
        if own is not None and len([call for call in calls if call]) == 2:
            raise WarehouseBusy("polypipe.duckdb", "a test", wait)
        return real(wait, own)

    monkeypatch.setattr(warehouse, "merge", busy_once_written)
    with pytest.raises(WarehouseBusy):
        ingest(warehouse, TRADE_LOG, path, batch_bytes=5_000)
    monkeypatch.undo()
    ingest(warehouse, TRADE_LOG, path, batch_bytes=5_000)
    assert raws(warehouse) == sorted(log_lines(100))


def test_own_fills_are_read_and_unknown_columns_refused(warehouse, tmp_path):
    path = tmp_path / "my_fills.csv"
    fill = f"2026-11-20 12:34:56.789,64123456,{TOKEN},12.75,25.000000,0.5100,BUY_FILL,0.53,150,0.54,90,0.5,10,N/A,N/A,{TX}"
    path.write_text(f"{OWN_FILLS_HEADER}\n{fill}\n")
    assert ingest(warehouse, OWN_FILLS, path).rows == 1
    assert rows(warehouse, "SELECT shares, bid1_price, bid2_price, raw FROM own_fills") == [(25.0, 0.5, None, fill)]
    path.write_text(f"{OWN_FILLS_HEADER.replace('bid2', 'bid9')}\n{fill}\n")
    with pytest.raises(PolypipeError, match=r"unknown columns 'bid9_price', 'bid9_size'; missing columns 'bid2_price'"):
        ingest(warehouse, OWN_FILLS, path)


def test_lines_without_a_newline_between_them_are_separate_rows(warehouse, path):
    """The bot writes a line and its newline separately, from several tasks, and can be killed in between."""
    one, two, three, four = log_lines(4)
    path.write_text(f"{HEADER}{one}{two}\n\n{three[:40]}{four}\n")
    assert ingest(warehouse, TRADE_LOG, path).rows == 4
    stored = rows(warehouse, "SELECT raw, tx_hash, problems FROM trade_log ORDER BY byte_offset")
    assert stored == [
        (one, f"0x{0:064x}", "newline"),
        (two, f"0x{1:064x}", None),
        (three[:40], None, "columns,newline"),
        (four, f"0x{3:064x}", None),
    ]
    path.write_text(f"{HEADER}{one}{two}\n\n" + text(log_lines(1, start=4)))  # the lines read before are recognised
    report = ingest(warehouse, TRADE_LOG, path)
    assert (report.rows, report.began) == (1, ["truncated"])


def test_byte_order_mark_is_not_part_of_a_line(warehouse, path):
    path.write_bytes(b"\xef\xbb\xbf" + (HEADER + text(log_lines(2))).encode())
    assert ingest(warehouse, TRADE_LOG, path).rows == 2
    path.write_bytes(b"\xef\xbb\xbf" + text(log_lines(1)).encode())  # truncated before the read position
    assert ingest(warehouse, TRADE_LOG, path).rows == 1
    path.write_bytes(b"\xef\xbb\xbftimestamp,colour\n")
    with pytest.raises(PolypipeError, match="colour"):
        ingest(warehouse, TRADE_LOG, path)


def test_zeros_left_by_a_power_cut_are_separate_from_the_next_line(warehouse, path):
    path.write_bytes(HEADER.encode() + b"\0" * 100_000 + text(log_lines(2)).encode())
    ingest(warehouse, TRADE_LOG, path)
    stored = rows(warehouse, "SELECT length(raw), outcome FROM trade_log ORDER BY byte_offset")
    assert stored[0] == (4096, "UNKNOWN")
    assert rows(warehouse, "SELECT max(raw_bytes) FROM trade_log") == [(100_000,)]
    assert raws(warehouse)[-2:] == log_lines(2)


@pytest.mark.parametrize("time", ["9999-12-31 23:59:59.999", "0001-01-01 00:00:00.000", "1970-01-01 00:00:01.000"])
def test_time_of_another_century_is_unreadable(warehouse, path, time):
    path.write_text(text([*log_lines(1), line(time=time)]))
    assert ingest(warehouse, TRADE_LOG, path).rows == 2
    stored = rows(warehouse, "SELECT logged_at, day = '2026-11-20', problems FROM trade_log WHERE raw LIKE '%MOCK_ONLY%'")
    assert stored == [(None, True, "timestamp")]
