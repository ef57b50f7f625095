"""Merging: every mode, exactly once, atomic, and not blocked by another writer's bad batch."""

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from polypipe.warehouse import (
    Append,
    BatchRejected,
    Replace,
    Upsert,
    Warehouse,
    WarehouseError,
    Window,
    merge,
    publish,
)
from polypipe.warehouse import batch as batch_module
from polypipe_tests.warehouse.helpers import (
    DAY,
    assert_published_is_live,
    crawl,
    crawl_ids,
    live_rows,
    published_files,
    rows,
    spooled,
    start,
    token,
    write,
)


def test_a_merge_publishes_and_empties_the_spool(wh: Warehouse) -> None:
    assert wh.current() is None
    assert wh.merge().version == 0
    first, second = write(wh, "c1"), write(wh, "c2", tokens=3)
    result = wh.merge(own=first)
    assert result.merged == [first, second]
    assert result.tables == ["crawls", "tokens"]
    assert result.version == 1
    assert result.rejected == {}
    assert spooled(wh) == []
    assert crawl_ids(wh) == ["c1", "c2"]
    assert rows(wh, "SELECT count(*), any_value(crawl_id) FROM tokens") == [(3, "c2")]
    current = wh.current()
    assert current is not None
    assert current.merged == [first, second]
    assert current.tables["tokens"].rows == 3
    assert current.tables["events"].files == []
    assert_published_is_live(wh)

    again = wh.merge()
    assert (again.merged, again.tables, again.version) == ([], [], 1)
    assert wh.current() == current


def test_upsert_replaces_by_key_and_the_last_duplicate_wins(wh: Warehouse) -> None:
    with wh.batch("x") as batch:
        batch.add("tokens", [token(1), token(2), token(3, tennis_category=None)])
        batch.commit({"tokens": Replace()})
    with wh.batch("x") as batch:
        late = [token(number % 5, "c2", slug=f"round-{number // 5}") for number in range(5000)]
        batch.add("tokens", late)
        batch.add("tokens", [token(3, "c3", slug=None, tennis_category=None)])
        batch.commit({"tokens": Upsert(("token_id", "tennis_category"))})
    wh.merge()
    query = "SELECT market_id, tennis_category, slug, crawl_id FROM tokens ORDER BY token_id, 2 NULLS LAST"
    assert rows(wh, query) == [
        ("0", "moneyline", "round-999", "c2"),
        ("0", "moneyline", "round-999", "c2"),
        ("1", "moneyline", "round-999", "c2"),
        ("1", "moneyline", "round-999", "c2"),
        ("1", None, None, "c3"),
        ("2", "moneyline", "round-999", "c2"),
    ]


def test_a_window_is_half_open_and_replaces_only_equal_rows(wh: Warehouse) -> None:
    with wh.batch("x") as batch:
        start, end = DAY, DAY + timedelta(days=1)
        moments = {"before": DAY - timedelta(microseconds=1), "first": start, "last": end - timedelta(microseconds=1)}
        moments |= {"end": end}
        batch.add("crawls", [crawl(name, finished_at=moment) for name, moment in moments.items()])
        batch.add("crawls", [crawl("other", kind="live", finished_at=start)])
        batch.commit({"crawls": Append()})
    for _ in range(2):  # rerunning a partition changes nothing
        with wh.batch("x") as batch:
            batch.add("crawls", [crawl("new")])
            batch.commit({"crawls": Window("finished_at", start, end, {"kind": "universe"})})
        wh.merge(own=batch.id)
        assert crawl_ids(wh) == ["before", "end", "new", "other"]
    with wh.batch("x") as batch:
        batch.commit({"crawls": Window("finished_at", start, end)})
    wh.merge(own=batch.id)
    assert crawl_ids(wh) == ["before", "end"]

    with wh.batch("x") as batch:
        batch.add("crawls", [crawl("inside"), crawl("outside", day=1)])
        batch.commit({"crawls": Window("finished_at", start, end)})
    with pytest.raises(BatchRejected, match="1 of 2 rows are outside"):
        wh.merge(own=batch.id)
    assert crawl_ids(wh) == ["before", "end"]


def test_an_empty_replace_empties_the_table(wh: Warehouse) -> None:
    write(wh, "c1")
    wh.merge()
    with wh.batch("x") as batch:
        batch.commit({"tokens": Replace(), "crawls": Append()})
    assert wh.merge(own=batch.id).tables == ["tokens"]
    assert rows(wh, "SELECT count(*) FROM tokens") == [(0,)]
    assert crawl_ids(wh) == ["c1"]


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["truncated", "not json", "wrong type", "no manifest", "manifest truncated", "file gone"])
def test_a_batch_that_cannot_be_merged_is_rejected_and_the_others_are_merged(wh: Warehouse, fault: str) -> None:
    before, bad, after = write(wh, "c1"), write(wh, "c2"), write(wh, "c3")
    directory = wh.layout.spool / bad
    file, manifest = directory / "tokens.ndjson", directory / "manifest.json"
    content = file.read_bytes()
    if fault == "truncated":
        file.write_bytes(content[:-20])
    elif fault == "not json":
        file.write_bytes(content.replace(b"{", b"(", 1))
    elif fault == "wrong type":
        file.write_bytes(content.replace(b'"live":false', b'"live":"abc"', 1))
    elif fault == "no manifest":
        manifest.unlink()
    elif fault == "manifest truncated":
        manifest.write_bytes(manifest.read_bytes()[:-5])
    elif fault == "file gone":
        file.unlink()
    if fault == "wrong type":  # same size, so only DuckDB can detect it
        assert file.stat().st_size == len(content)

    assert crawl_ids(wh, pending=True) == ["c1", "c3"]  # a reader skips it as well
    with pytest.raises(BatchRejected, match=bad) as caught:
        wh.merge(own=bad)
    assert crawl_ids(wh) == ["c1", "c3"]
    assert rows(wh, "SELECT DISTINCT crawl_id FROM tokens") == [("c3",)]
    assert spooled(wh) == ["rejected"]
    reason = (wh.layout.rejected / bad / "reason.txt").read_text().strip()
    assert reason
    assert reason == caught.value.reason
    assert_published_is_live(wh)
    # A later merge still reports this batch to its owner, and only to its owner.
    with pytest.raises(BatchRejected):
        wh.merge(own=bad)
    assert wh.merge(own=before).merged == []
    assert wh.merge(own=after).rejected == {}


def test_a_rejected_batch_of_another_writer_is_reported(wh: Warehouse) -> None:
    bad, mine = write(wh, "c1"), write(wh, "c2")
    (wh.layout.spool / bad / "crawls.ndjson").write_bytes(b"")
    result = wh.merge(own=mine)
    assert result.merged == [mine]
    assert result.rejected == {bad: "crawls: the file has 0 bytes instead of 89"}


def test_a_batch_of_a_newer_polypipe_stays_in_the_spool(wh: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(batch_module, "latest", lambda: 99)
        batch_id = write(wh, "c1")
    with pytest.raises(WarehouseError, match=r"batch .* was written by a newer polypipe: it has schema 99"):
        wh.merge()
    assert spooled(wh) == [batch_id]


def test_a_full_disk_changes_nothing_and_the_next_merge_succeeds(wh: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    write(wh, "c1")
    wh.merge()
    pointer, files = wh.layout.pointer.read_bytes(), published_files(wh)
    batch_id = write(wh, "c2")
    real = publish.fsync
    written: list[Path] = []

    def full(path: Path) -> None:
        written.append(path)
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        real(path)

    with monkeypatch.context() as patch:
        patch.setattr(publish, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            wh.merge(own=batch_id)
    assert len(written) == 2
    assert wh.layout.pointer.read_bytes() == pointer
    assert published_files(wh) == files
    assert crawl_ids(wh) == ["c1"]
    assert live_rows(wh, "SELECT crawl_id FROM crawls") == [("c1",)]
    assert spooled(wh) == [batch_id]
    assert wh.merge().merged == [batch_id]
    assert_published_is_live(wh)


@pytest.mark.slow
def test_a_crash_between_commit_and_pointer_is_repaired_by_the_next_merge(
    wh: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(wh, "c1")
    wh.merge()
    dead = [write(wh, f"c{number}", day=number) for number in range(2, 130)]  # more than the pointer lists

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(publish, "write_current", die)
        with pytest.raises(KeyboardInterrupt):
            wh.merge()
    assert spooled(wh) == dead
    assert len(crawl_ids(wh)) == 1  # one version behind
    everything = crawl_ids(wh, pending=True)
    assert len(everything) == 129

    with monkeypatch.context() as patch:  # now crash one step later: published, but the batches are not deleted
        patch.setattr(merge, "delete_batches", die)
        with pytest.raises(KeyboardInterrupt):
            wh.merge()
    assert spooled(wh) == dead
    assert crawl_ids(wh) == everything
    assert crawl_ids(wh, pending=True) == everything

    result = wh.merge()
    assert (result.merged, result.tables) == ([], [])
    assert spooled(wh) == []
    assert crawl_ids(wh, pending=True) == everything
    assert_published_is_live(wh)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["pointer gone", "pointer truncated", "file gone", "database gone"])
def test_lost_files_are_repaired_by_the_next_merge(wh: Warehouse, loss: str) -> None:
    for number in range(3):
        write(wh, f"c{number}", day=number)
        wh.merge()
    version = wh.merge().version
    if loss == "pointer gone":
        wh.layout.pointer.unlink()
    elif loss == "pointer truncated":
        wh.layout.pointer.write_bytes(wh.layout.pointer.read_bytes()[:-9])
    elif loss == "file gone":
        next(wh.layout.published.glob("crawls.2026-11-21.*")).unlink()
    elif loss == "database gone":
        wh.layout.database.unlink()
        write(wh, "c9")
    result = wh.merge()
    assert result.version > version
    assert crawl_ids(wh) == (["c0", "c1", "c2"] + (["c9"] if loss == "database gone" else []))
    assert_published_is_live(wh)
    assert wh.merge().version == result.version


def test_merged_ids_are_deleted_after_a_month_unless_their_batch_still_exists(
    wh: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def age() -> None:
        with duckdb.connect(str(wh.layout.database)) as con:
            con.execute("UPDATE merged_batches SET merged_at = now() - INTERVAL 31 DAY")

    def undeletable(*_: object) -> None:
        raise PermissionError("spool")

    write(wh, "c1")
    wh.merge()
    age()
    with monkeypatch.context() as patch:
        patch.setattr(merge, "delete_batches", undeletable)
        for crawl_id in ("c2", "c3"):
            write(wh, crawl_id)
            with pytest.raises(PermissionError):
                wh.merge()
            age()
    left = spooled(wh)
    assert len(left) == 2
    assert [batch_id for (batch_id,) in live_rows(wh, "SELECT batch_id FROM merged_batches ORDER BY 1")] == left
    write(wh, "c4")
    wh.merge()
    assert crawl_ids(wh) == ["c1", "c2", "c3", "c4"]


def test_a_writer_imports_neither_numpy_nor_pandas(wh: Warehouse) -> None:
    code = (
        "import sys, pathlib\n"
        "from polypipe_tests.warehouse.helpers import write, crawl_ids, Warehouse\n"
        "wh = Warehouse(pathlib.Path(sys.argv[1])); write(wh, 'c1'); wh.merge(); crawl_ids(wh, True)\n"
        "print([name for name in ('numpy', 'pandas', 'dagster') if name in sys.modules])"
    )
    output, _ = start(code, wh.layout.home).communicate(timeout=60)
    assert output == "[]\n"
