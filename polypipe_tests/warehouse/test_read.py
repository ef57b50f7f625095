"""Reading while writers run: every batch completely, once, and never through the live file."""

from pathlib import Path

import pytest

from polypipe.warehouse import Append, Replace, Upsert, Warehouse, WarehouseError, read
from polypipe.warehouse.sql import run
from polypipe.warehouse.tables import DAY_COLUMN, columns
from polypipe_tests.warehouse.helpers import crawl, crawl_ids, rows, start, token, write

_WRITER = """
import pathlib, sys
from polypipe_tests.warehouse.helpers import Warehouse, write
wh = Warehouse(pathlib.Path(sys.argv[1]))
for number in range(40):
    write(wh, f'c{number:03}', tokens=50, day=number % 3)
    (wh.layout.home / 'acked').write_text(str(number + 1))
    if number % 3:
        wh.merge()
"""


def test_every_table_exists_before_the_first_write(wh: Warehouse) -> None:
    with wh.read() as con:
        assert [name for (name,) in con.execute("SHOW TABLES").fetchall()] == sorted(DAY_COLUMN)
        for table in DAY_COLUMN:
            described = con.execute(f"DESCRIBE {table}").fetchall()
            assert [row[:2] for row in described] == [(column.name, column.type) for column in columns(table)]
            assert con.execute(f"SELECT count(*) FROM {table}").fetchall() == [(0,)]


def test_every_table_and_column_in_a_query_has_a_comment(wh: Warehouse) -> None:
    write(wh, "c1")
    wh.merge()
    query = (
        "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal UNION ALL "
        "SELECT table_name || '.' || column_name, comment FROM duckdb_columns() WHERE NOT internal"
    )
    _, comments = run(wh, query)
    assert len(comments) > 50
    assert [name for name, comment in comments if not comment] == []


def test_waiting_batches_are_merged_as_a_writer_would(wh: Warehouse) -> None:
    write(wh, "c1", tokens=4)
    wh.merge()
    write(wh, "c2", tokens=3)
    with wh.batch("live") as batch:
        batch.add("tokens", [token(1, "c3", live=True), token(9, "c3", live=True)])
        batch.add("crawls", [crawl("c3", kind="live")])
        batch.commit({"tokens": Upsert(("token_id",)), "crawls": Append()})
    query = "SELECT slug, crawl_id, live FROM tokens ORDER BY 1"
    expected = [(0, "c2", False), (1, "c3", True), (2, "c2", False), (9, "c3", True)]
    named = [(f"atp-player-{number}", crawl_id, live) for number, crawl_id, live in expected]
    assert rows(wh, query, pending=True) == named
    assert rows(wh, "SELECT count(*), any_value(crawl_id) FROM tokens") == [(4, "c1")]
    wh.merge()
    assert rows(wh, query) == named


def test_an_open_reader_keeps_its_version_while_writers_publish(wh: Warehouse) -> None:
    write(wh, "c1", tokens=5)
    wh.merge()
    with wh.read(pending=False) as con:
        for number in range(3):
            write(wh, f"d{number}", tokens=7)
            wh.merge()
        assert con.execute("SELECT count(*), any_value(crawl_id) FROM tokens").fetchall() == [(5, "c1")]


def test_a_batch_merged_while_it_is_read_is_still_seen_once(wh: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    write(wh, "c1")
    wh.merge()
    write(wh, "c2")
    real = read.load_batch
    merged = []

    def load(*arguments: object) -> object:
        if not merged:  # a writer merges it between listing and loading
            merged.append(True)
            monkeypatch.setattr(read, "load_batch", real)
            wh.merge()
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(read, "load_batch", load)
    assert crawl_ids(wh, pending=True) == ["c1", "c2"]
    assert merged


def test_missing_published_files_are_an_error_not_an_empty_table(wh: Warehouse) -> None:
    write(wh, "c1")
    wh.merge()
    for path in wh.layout.published.iterdir():
        path.unlink()
    with pytest.raises(WarehouseError, match="disappeared during each"):
        crawl_ids(wh)
    wh.layout.pointer.write_text("{")
    with pytest.raises(WarehouseError, match="cannot be read"):
        crawl_ids(wh)


@pytest.mark.slow
def test_readers_racing_a_writer_see_every_batch_once_and_complete(wh: Warehouse) -> None:
    wh.layout.make()
    acked = wh.layout.home / "acked"
    acked.write_text("0")
    writer = start(_WRITER, wh.layout.home)
    reads, most = 0, 0
    while writer.poll() is None:
        before = int(acked.read_text() or most)
        with wh.read() as con:
            ids = [crawl_id for (crawl_id,) in con.execute("SELECT crawl_id FROM crawls ORDER BY 1").fetchall()]
            state = con.execute("SELECT count(*), min(crawl_id), max(crawl_id) FROM tokens").fetchall()[0]
        assert ids == [f"c{number:03}" for number in range(len(ids))]
        assert len(ids) >= max(before, most)
        assert state == ((50, ids[-1], ids[-1]) if ids else (0, None, None))
        with wh.read(pending=False) as con:
            query = "SELECT (SELECT max(crawl_id) FROM crawls), (SELECT any_value(crawl_id) FROM tokens)"
            newest, of_tokens = con.execute(query).fetchall()[0]
            assert newest == of_tokens
        reads, most = reads + 1, len(ids)
    assert writer.returncode == 0
    assert reads > 5
    assert len(crawl_ids(wh, pending=True)) == 40


def test_a_reader_leaves_no_files(wh: Warehouse, tmp_path: Path) -> None:
    write(wh, "c1")
    wh.merge()
    before = sorted(str(path) for path in wh.layout.home.rglob("*"))
    assert crawl_ids(wh) == ["c1"]
    assert sorted(str(path) for path in wh.layout.home.rglob("*")) == before
    assert read.open_reader(wh.layout, pending=True).execute("SELECT 1").fetchall() == [(1,)]


def test_a_bad_replacing_batch_does_not_hide_the_old_rows(wh: Warehouse) -> None:
    write(wh, "c1")
    wh.merge()
    bad = write(wh, "c2")
    file = wh.layout.spool / bad / "crawls.ndjson"
    file.write_bytes(file.read_bytes().replace(b"true", b'"xx"'))  # the second table of the batch
    with wh.batch("x") as batch:
        batch.add("crawls", [crawl("c3")])
        batch.commit({"crawls": Append()})
    assert crawl_ids(wh, pending=True) == ["c1", "c3"]
    assert rows(wh, "SELECT DISTINCT crawl_id FROM tokens", pending=True) == [("c1",)]
    with wh.batch("x") as batch:
        batch.add("tokens", [token(1, "c4")])
        batch.commit({"tokens": Replace()})
    assert rows(wh, "SELECT crawl_id FROM tokens", pending=True) == [("c4",)]
