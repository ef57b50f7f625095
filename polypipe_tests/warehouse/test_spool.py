"""Batches in the spool: validated row by row, durable once committed, otherwise removed."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from polypipe.warehouse import Append, BadRows, Replace, Upsert, Warehouse, Window
from polypipe.warehouse import batch as batch_module
from polypipe_tests.warehouse.helpers import DAY, assert_published_is_live, crawl, rows, spooled, start, token, write


def _failing(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from rows
    raise RuntimeError("page 7 failed")


def test_an_uncommitted_batch_leaves_no_files(wh: Warehouse) -> None:
    with wh.batch("sports_events") as batch:
        batch.add("tokens", [token(1)])
    assert spooled(wh) == []

    with pytest.raises(RuntimeError, match="page 7"), wh.batch("sports_events") as batch:
        batch.add("tokens", _failing([token(1)]))
    assert spooled(wh) == []


def test_a_committed_batch_survives_an_error_after_it(wh: Warehouse) -> None:
    with pytest.raises(RuntimeError, match="page 7"), wh.batch("sports_events") as batch:  # noqa: PT012 -- the block is the point
        batch.add("tokens", [token(1)])
        batch.commit({"tokens": Replace()})
        list(_failing([]))
    assert spooled(wh) == [batch.id]
    assert rows(wh, "SELECT count(*) FROM tokens", pending=True) == [(1,)]


def test_rows_may_be_dicts_or_structs_in_several_calls(wh: Warehouse) -> None:
    class Event(msgspec.Struct):
        event_id: str
        tag_ids: list[str]
        start_time: datetime
        title: str = 'A "quoted" <b>title</b> 🎾'

    two_hours_east = datetime.fromisoformat("2026-11-23T14:00:00+02:00")
    with wh.batch("sports_events") as batch:
        batch.add("events", [Event("1", ["1", "864"], two_hours_east)])
        batch.add("events", iter([{"event_id": "2", "start_time": "2026-11-23T12:00:00.25Z"}]))
        batch.add("events", [])
        batch.commit({"events": Replace()})
    wh.merge()
    assert rows(wh, "SELECT event_id, tag_ids, start_time, title, live FROM events ORDER BY 1") == [
        ("1", ["1", "864"], datetime(2026, 11, 23, 12, tzinfo=UTC), 'A "quoted" <b>title</b> 🎾', None),
        ("2", None, datetime(2026, 11, 23, 12, 0, 0, 250000, tzinfo=UTC), None, None),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, r"tokens\.colour: .*unknown field `colour`: 'red'"),
        ({"live": "yes"}, r"tokens\.live: Expected `bool`, got `str`: 'yes'"),
        ({"token_id": 10**76}, r"tokens\.token_id: .*: 1000"),
        ({"token_id": 12}, r"tokens\.token_id: Expected `str`, got `int`: 12"),
        ({"neg_risk": None}, r"tokens\.neg_risk: Expected `bool`, got `null`: None"),
        ({"outcome_index": 2**31}, r"tokens\.outcome_index: .*: 2147483648"),
        ({"outcome_index": 0.5}, r"tokens\.outcome_index: .*: 0\.5"),
        ({"slug": "\ud800"}, r"tokens: a row cannot be written as JSON"),
        ({"slug": object()}, r"tokens: a row cannot be written as JSON"),
    ],
)
def test_the_error_for_a_bad_row_names_table_column_and_value(
    wh: Warehouse, change: dict[str, object], message: str
) -> None:
    good = [token(number) for number in range(600)]  # the bad row is not in the first chunk
    with pytest.raises(BadRows, match=message), wh.batch("sports_events") as batch:
        batch.add("tokens", [*good, token(601) | change])
    assert spooled(wh) == []


def test_a_missing_required_value_and_a_naive_time_are_refused(wh: Warehouse) -> None:
    with wh.batch("sports_events") as batch:
        row = token(1)
        del row["token_id"]
        with pytest.raises(BadRows, match="missing required field `token_id`"):
            batch.add("tokens", [row])
        with pytest.raises(BadRows, match=r"crawls\.finished_at: .*timezone"):
            batch.add("crawls", [crawl("c1", finished_at=datetime(2026, 11, 23))])  # noqa: DTZ001 -- naive on purpose
        with pytest.raises(BadRows, match="unknown table 'token'"):
            batch.add("token", [row])
        # Rows of the refused calls may already be in the files.
        with pytest.raises(BadRows, match="has an invalid row"):
            batch.commit({"tokens": Replace(), "crawls": Append()})


def test_modes_that_do_not_fit_the_table_are_refused(wh: Warehouse) -> None:
    with wh.batch("sports_events") as batch:
        batch.add("tokens", [token(1)])
        with pytest.raises(BadRows, match=r"rows for \['tokens'\] but no mode"):
            batch.commit({"crawls": Append()})
        with pytest.raises(BadRows, match=r"tokens: Upsert names unknown columns \['tokn_id'\]"):
            batch.commit({"tokens": Upsert(("tokn_id",))})
        with pytest.raises(BadRows, match="at least one key"):
            batch.commit({"tokens": Upsert(())})
    now = datetime.now(UTC)
    with pytest.raises(ValueError, match="start < end"):
        Window("finished_at", now, now)
    with pytest.raises(ValueError, match="time zone"):
        Window("finished_at", datetime(2026, 1, 1), now)  # noqa: DTZ001 -- naive on purpose
    with pytest.raises(ValueError, match="batch name"):
        wh.batch("../escape")


def test_batches_are_ordered_by_commit_even_if_the_clock_is_set_back(
    wh: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write(wh, "c1")

    class Yesterday(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.now(UTC) - timedelta(days=1)

    monkeypatch.setattr(batch_module, "datetime", Yesterday)
    with wh.batch("slow") as slow:
        second = write(wh, "c2")
        slow.add("tokens", [token(1, "c3")])
        third = slow.commit({"tokens": Replace()})
    assert first < second < third
    wh.merge()
    assert rows(wh, "SELECT DISTINCT crawl_id FROM tokens") == [("c3",)]


def test_only_batches_of_dead_writers_are_swept(wh: Warehouse) -> None:
    code = (
        "import sys, pathlib; from polypipe.warehouse import Warehouse\n"
        "batch = Warehouse(pathlib.Path(sys.argv[1])).batch('dead').__enter__()\n"
        "print(batch._directory.name, flush=True); sys.stdin.read()"
    )
    process = start(code, wh.layout.home)
    assert process.stdout
    left = process.stdout.readline().strip()
    process.kill()
    process.wait()
    with wh.batch("living") as living:
        living.add("crawls", [crawl("c1")])
        for name in spooled(wh):  # both look old
            os.utime(wh.layout.spool / name, (0, 0))
        wh.merge()
        assert left not in spooled(wh)
        living.commit({"crawls": Append()})
    half_deleted = wh.layout.spool / ".done-x"
    shutil.copytree(wh.layout.spool / str(living.id), half_deleted)
    assert wh.merge().merged == [living.id]
    assert spooled(wh) == []


def test_a_batch_on_a_full_disk_leaves_no_files_or_descriptors(wh: Warehouse) -> None:
    """Closing the file fails as well, because its buffer cannot be flushed."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match="No space"), wh.batch("full") as batch:  # noqa: PT012
        batch.add("crawls", [])
        batch._files["crawls"].close()
        batch._files["crawls"] = Path("/dev/full").open("wb")  # noqa: SIM115 -- the batch closes it
        batch._files["crawls"].write(b"{}")
        batch.commit({"crawls": Append()})
    assert spooled(wh) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_days_are_in_the_manifest_and_batches_without_them_merge_the_same(wh: Warehouse) -> None:
    """Days are in UTC for any time zone. Earlier versions did not write them."""
    evening = "2026-11-20T23:30:00-05:00"  # the next day in UTC
    with wh.batch("x") as batch:
        batch.add("crawls", [crawl("c1"), crawl("c2", finished_at=evening)])
        batch.add("tokens", [token(1)])
        first = batch.commit({"crawls": Append(), "tokens": Replace()})
    manifest = wh.layout.spool / first / "manifest.json"
    manifest_json = msgspec.json.decode(manifest.read_bytes())
    assert manifest_json["tables"]["crawls"]["days"] == ["2026-11-20", "2026-11-21"]
    assert manifest_json["tables"]["tokens"]["days"] == []
    wh.merge()
    assert published_days(wh) == [DAY.date(), DAY.date() + timedelta(days=1)]

    second = write(wh, "c3", day=5)
    manifest = wh.layout.spool / second / "manifest.json"
    manifest_json = msgspec.json.decode(manifest.read_bytes())
    for part in manifest_json["tables"].values():
        del part["days"]
    manifest.write_bytes(msgspec.json.encode(manifest_json))
    wh.merge()
    assert published_days(wh)[-1] == DAY.date() + timedelta(days=5)
    assert_published_is_live(wh)


def published_days(wh: Warehouse) -> list[date]:
    current = wh.current()
    assert current is not None
    return [file.day for file in current.tables["crawls"].files if file.day is not None]
