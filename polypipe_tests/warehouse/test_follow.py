"""The following reader: loads new versions by itself and keeps the old one if loading fails."""

import threading

import pytest

from polypipe.warehouse import Append, Replace, Warehouse
from polypipe.warehouse.follow import FollowedTable, FollowingReader
from polypipe_tests.support import wait_until
from polypipe_tests.warehouse.helpers import crawl, token, write


def _ids(reader: FollowingReader) -> list[str]:
    with reader.cursor() as con:
        return [crawl_id for (crawl_id,) in con.execute("SELECT crawl_id FROM crawls ORDER BY 1").fetchall()]


def test_a_follower_starts_empty_and_loads_each_new_version(wh: Warehouse) -> None:
    with FollowingReader(wh, poll_seconds=0.01) as reader:
        assert reader.status.version == 0
        assert reader.status.error is None
        assert _ids(reader) == []
        for number in range(3):
            write(wh, f"c{number}", day=number)
            version = wh.merge().version
            wait_until(lambda wanted=version: reader.status.version == wanted)
            assert _ids(reader) == [f"c{done}" for done in range(number + 1)]
        current = wh.current()
        assert current is not None
        assert reader.status.published_at == current.time
        assert reader.status.error is None


def test_only_changed_files_are_loaded(wh: Warehouse) -> None:
    for day in range(3):
        write(wh, f"c{day}", day=day)
        wh.merge()
    with FollowingReader(wh, poll_seconds=60) as reader:
        first = dict(reader._loaded)
        with wh.batch("x") as batch:
            batch.add("crawls", [crawl("today", 2)])
            batch.commit({"crawls": Append()})
        wh.merge()
        reader.refresh()
        assert {part for part, files in reader._loaded.items() if first.get(part) != files} == {'stored."crawls_newest"'}
        assert _ids(reader) == ["c0", "c1", "c2", "today"]


def test_followed_queries_over_tables_are_updated(wh: Warehouse) -> None:
    by_day = "SELECT finished_at::DATE AS day, count(*) AS crawls FROM rows GROUP BY ALL"
    followed = [FollowedTable("days", "crawls", by_day), FollowedTable("ids", "tokens", "SELECT token_id FROM rows")]
    with FollowingReader(wh, poll_seconds=60, tables=followed) as reader, reader.cursor() as con:
        for number, day in enumerate((0, 1, 1, 2)):
            write(wh, f"c{number}", tokens=number, day=day)
            wh.merge()
        reader.refresh()
        assert reader.status.error is None
        assert con.execute("SELECT crawls FROM days ORDER BY day").fetchall() == [(1,), (2,), (1,)]
        assert con.execute("SELECT count(*) FROM ids").fetchall() == [(3,)]
        views = con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1").fetchall()
        assert views == [("days",), ("ids",)]


def test_the_old_version_stays_with_an_error_while_the_new_one_cannot_be_loaded(wh: Warehouse) -> None:
    write(wh, "c1")
    wh.merge()
    with FollowingReader(wh, poll_seconds=60) as reader:
        good = reader.status
        pointer = wh.layout.pointer.read_bytes()
        write(wh, "c2")
        wh.merge()
        next(wh.layout.published.glob("tokens.v2*")).rename(wh.layout.home / "hidden")
        for damage in (lambda: None, lambda: wh.layout.pointer.write_text("{"), wh.layout.pointer.unlink):
            damage()
            reader.refresh()
            assert reader.status.error
            assert "\n" not in reader.status.error
            assert (reader.status.version, reader.status.checked_at) == (1, good.checked_at)
            assert _ids(reader) == ["c1"]
        wh.layout.pointer.write_bytes(pointer)
        reader.refresh()
        assert reader.status.error is None
        assert reader.status.checked_at > good.checked_at
        wh.merge()  # rewrites the missing file
        reader.refresh()
        assert reader.status.error is None
        assert _ids(reader) == ["c1", "c2"]


@pytest.mark.slow
def test_a_query_never_sees_two_versions(wh: Warehouse) -> None:
    done = threading.Event()
    mixed: list[object] = []
    queries = 0

    def query_repeatedly(reader: FollowingReader) -> None:
        nonlocal queries
        with reader.cursor() as con:
            while not done.is_set():
                query = "SELECT (SELECT max(crawl_id) FROM crawls), (SELECT list(DISTINCT crawl_id) FROM tokens)"
                newest, states = con.execute(query).fetchall()[0]
                if states != ([newest] if newest else None):
                    mixed.append((newest, states))
                queries += 1

    with FollowingReader(wh, poll_seconds=0.005) as reader:
        thread = threading.Thread(target=query_repeatedly, args=(reader,))
        thread.start()
        for number in range(20):
            with wh.batch("x") as batch:
                batch.add("tokens", [token(place, f"c{number:02}") for place in range(30)])
                batch.add("crawls", [crawl(f"c{number:02}", number % 3)])
                batch.commit({"tokens": Replace(), "crawls": Append()})
            version = wh.merge().version
            wait_until(lambda wanted=version: reader.status.version == wanted)
        done.set()
        thread.join()
    assert queries > 0
    assert mixed == []
