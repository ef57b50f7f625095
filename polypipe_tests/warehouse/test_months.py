"""Combining closed days: same rows, fewer files, and older days can still change."""

import random
import signal
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polypipe.warehouse import Append, Upsert, Warehouse, Window
from polypipe.warehouse.current import Current, PublishedFile, PublishedTable
from polypipe.warehouse.follow import FollowingReader
from polypipe.warehouse.months import OWN_FILE_DAYS, due
from polypipe_tests.support import wait_until
from polypipe_tests.warehouse.helpers import (
    DAY,
    assert_published_is_live,
    crawl,
    crawl_ids,
    live_rows,
    published_files,
    rows,
    start,
)

LATER = date(2027, 2, 1)


def _fill(wh: Warehouse, days: range, name: str = "c") -> None:
    with wh.batch("x") as batch:
        batch.add("crawls", [crawl(f"{name}{day:03}", day) for day in days])
        batch.commit({"crawls": Append()})
    wh.merge()


def _spans(wh: Warehouse) -> list[tuple[date | None, date | None, int]]:
    current = wh.current()
    assert current is not None
    return [(file.day, file.last_day, file.rows) for file in current.tables["crawls"].files]


@pytest.mark.slow
def test_closed_days_share_one_file_per_month_except_the_last_days(wh: Warehouse) -> None:
    _fill(wh, range(30))  # 20 November to 19 December
    before = rows(wh, "SELECT * FROM crawls ORDER BY ALL")
    today = date(2026, 12, 19)
    limit = today - timedelta(days=OWN_FILE_DAYS)
    merged = wh.combine_days(today)
    assert [(days.table, days.first, days.end) for days in merged] == [
        ("crawls", date(2026, 11, 1), date(2026, 12, 1)),
        ("crawls", date(2026, 12, 1), limit),
    ]
    assert _spans(wh)[:2] == [
        (date(2026, 11, 20), date(2026, 11, 30), 11),
        (date(2026, 12, 1), date(2026, 12, 11), 11),
    ]
    assert _spans(wh)[2:] == [(limit + timedelta(days=n), None, 1) for n in range(OWN_FILE_DAYS + 1)]
    assert rows(wh, "SELECT * FROM crawls ORDER BY ALL") == before
    assert_published_is_live(wh)
    assert wh.combine_days(today) == []  # nothing left to do
    version = wh.merge().version
    assert wh.merge().version == version

    assert [days.first for days in wh.combine_days(today + timedelta(days=1))] == [date(2026, 12, 1)]  # the next day
    assert _spans(wh)[1] == (date(2026, 12, 1), limit, 12)
    assert_published_is_live(wh)


@pytest.mark.slow
def test_a_combined_day_can_still_change(wh: Warehouse) -> None:
    _fill(wh, range(5, 25))
    wh.combine_days(LATER)
    november = _spans(wh)[0]
    _fill(wh, range(8, 9), "late")  # a day inside the combined file
    _fill(wh, range(2, 3), "before")  # a day before it
    assert (*november[:2], november[2] + 1) in _spans(wh)
    start_, end = DAY + timedelta(days=12), DAY + timedelta(days=14)
    with wh.batch("x") as batch:
        batch.add("crawls", [crawl("window", 13)])
        batch.commit({"crawls": Window("finished_at", start_, end)})
    wh.merge()
    with wh.batch("x") as batch:  # moves a row from one month to the other
        batch.add("crawls", [crawl("c006", 20)])
        batch.commit({"crawls": Upsert(("crawl_id",))})
    wh.merge()
    assert_published_is_live(wh)
    assert [days.first for days in wh.combine_days(LATER)] == [date(2026, 11, 1)]
    assert len(_spans(wh)) == 2
    assert_published_is_live(wh)


def test_a_month_without_rows_has_no_file(wh: Warehouse) -> None:
    _fill(wh, range(20))
    wh.combine_days(LATER)
    with wh.batch("x") as batch:
        batch.add("crawls", [])
        batch.commit({"crawls": Window("finished_at", DAY, DAY + timedelta(days=11))})
    wh.merge()
    assert [first for first, _, _ in _spans(wh)] == [date(2026, 12, 1)]
    _fill(wh, range(3, 4), "again")
    assert _spans(wh)[0] == (date(2026, 11, 20), date(2026, 11, 30), 1)
    assert_published_is_live(wh)


def test_combining_keeps_files_of_open_readers_and_rows_of_followers(wh: Warehouse) -> None:
    _fill(wh, range(20))
    everything = "SELECT * FROM crawls ORDER BY ALL"
    with wh.read() as reader, FollowingReader(wh, poll_seconds=0.01) as follower, follower.cursor() as cursor:
        before = reader.execute(everything).fetchall()
        old = published_files(wh)
        wh.combine_days(LATER)
        assert old < published_files(wh)
        assert reader.execute(everything).fetchall() == before  # its files are still there
        current = wh.current()
        assert current is not None
        wait_until(lambda: follower.status.version == current.version)
        assert cursor.execute(everything).fetchall() == before
    _fill(Warehouse(wh.layout.home, keep_retired=timedelta(0)), range(90, 91))
    assert len([name for name in published_files(wh) if name.startswith("crawls")]) == 3


def test_a_lost_pointer_and_lost_combined_files_are_rebuilt(wh: Warehouse) -> None:
    _fill(wh, range(20))
    wh.combine_days(LATER)
    spans = _spans(wh)
    next(wh.layout.published.glob("crawls.2026-11-20_2026-11-30.*")).unlink()
    wh.merge()
    assert _spans(wh) == spans
    wh.layout.pointer.unlink()
    wh.merge()
    assert _spans(wh) == spans
    assert_published_is_live(wh)


def test_state_tables_are_not_combined(wh: Warehouse) -> None:
    assert due(None, LATER) == []
    now = datetime.now(UTC)
    files = [PublishedFile("published/a", 1, 1), PublishedFile("published/b", 1, 1)]
    assert due(Current(1, now, {"tokens": PublishedTable(files, 2, now)}, [], []), LATER) == []


@pytest.mark.slow
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("write"), st.lists(st.integers(0, 75), min_size=1, max_size=8)),
            st.tuples(st.just("combine"), st.integers(0, 120)),
        ),
        max_size=7,
    )
)
@settings(max_examples=6)
def test_any_order_of_writing_and_combining_keeps_all_rows(steps: list[tuple[str, list[int] | int]]) -> None:
    written: list[str] = []
    with tempfile.TemporaryDirectory() as home:
        wh = Warehouse(Path(home))
        for number, (what, value) in enumerate(steps):
            if isinstance(value, list):
                names = [f"{number}-{place}-{day}" for place, day in enumerate(value)]
                with wh.batch("x") as batch:
                    batch.add("crawls", [crawl(name, day) for name, day in zip(names, value, strict=True)])
                    batch.commit({"crawls": Append()})
                wh.merge()
                written += names
            else:
                wh.combine_days(DAY.date() + timedelta(days=value))
            assert crawl_ids(wh) == sorted(written), what
        if written:
            query = "SELECT day, coalesce(last_day, day) FROM partitions WHERE table_name = 'crawls' ORDER BY 1"
            assert all(last < first for (_, last), (first, _) in pairwise(live_rows(wh, query)))  # none overlap
            assert_published_is_live(wh)


# Adds one day at a time, merges and combines; prints each day after its batch is committed.
_COMBINER = """
import pathlib, sys
from datetime import date, timedelta
from polypipe.warehouse import Append
from polypipe_tests.warehouse.helpers import DAY, Warehouse, crawl
wh, begin = Warehouse(pathlib.Path(sys.argv[1])), int(sys.argv[2])
wh.merge()  # after a kill it reads the whole database first, and may rebuild it
print('ready', flush=True)
for day in range(begin, begin + 1000):
    with wh.batch('x') as batch:
        batch.add('crawls', [crawl(f'{begin}-{day}-{n}', day % 80) for n in range(100)])
        batch.commit({'crawls': Append()})
    print(f'{begin}-{day}', flush=True)
    wh.merge()
    wh.combine_days(DAY.date() + timedelta(days=day % 80 + 3))
"""


@pytest.mark.slow
def test_kills_while_combining_neither_lose_nor_duplicate_rows(wh: Warehouse) -> None:
    chance = random.Random(20261124)
    acknowledged: list[str] = []
    for kill in range(5):
        process = start(_COMBINER, wh.layout.home, kill * 15)
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.2, 1.2))  # the random moment
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.read().split()
        process.wait()
    expected = crawl_ids(wh, pending=True)
    wh.merge(wait=30)
    assert crawl_ids(wh) == expected
    assert len(set(expected)) == len(expected) == 100 * len({name.rpartition("-")[0] for name in expected})
    assert {f"{name}-0" for name in acknowledged} <= set(expected)
    assert any(last for _, last, _ in _spans(wh))
    assert_published_is_live(wh)
