"""Any sequence of batches gives the same rows as a Python list, waiting or merged."""

import tempfile
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polypipe.warehouse import Append, Replace, Upsert, Warehouse, Window
from polypipe.warehouse.modes import Mode
from polypipe_tests.warehouse.helpers import DAY, assert_published_is_live, rows

Row = dict[str, Any]

_MOMENTS = st.integers(0, 5).map(lambda half_days: DAY + timedelta(hours=12 * half_days))
_TEXTS = st.one_of(st.none(), st.sampled_from(["", "'", '"', "\\", "\n", "\0", "é🎾", "null", "x" * 300]))
_NUMBERS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))
_COLUMNS = {
    "crawl_id": st.sampled_from(["a", "b", "c"]),
    "kind": st.sampled_from(["universe", "live"]),
    "finished_at": _MOMENTS,
    "complete": st.booleans(),
    "error": _TEXTS,
    "seconds": _NUMBERS,
    "bytes": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
}
_ROWS = st.lists(st.fixed_dictionaries(_COLUMNS), max_size=6)


@st.composite
def _batch(draw: st.DrawFn) -> tuple[Mode, list[Row]]:
    made = draw(_ROWS)
    mode = draw(st.sampled_from(["replace", "append", "append", "upsert", "window"]))
    if mode == "replace":
        return Replace(), made
    if mode == "append":
        return Append(), made
    if mode == "upsert":
        keys = draw(st.sampled_from([("crawl_id",), ("crawl_id", "kind"), ("error", "complete")]))
        return Upsert(keys), made
    start = draw(_MOMENTS)
    end = start + timedelta(hours=12 * draw(st.integers(1, 4)))
    equals = draw(st.sampled_from([{}, {"kind": "live"}, {"kind": "live", "complete": True}]))
    window = Window("finished_at", start, end, equals)
    return window, [row for row in made if _inside(row, window)]


def _inside(row: Row, window: Window) -> bool:
    moment: datetime = row[window.column]
    return window.start <= moment < window.end and all(row[name] == value for name, value in window.equals.items())


def _apply(table: list[Row], mode: Mode, new: list[Row]) -> list[Row]:
    match mode:
        case Replace():
            return new
        case Append():
            return table + new
        case Upsert(keys):
            latest = {tuple(row[key] for key in keys): row for row in new}
            kept = [row for row in table if tuple(row[key] for key in keys) not in latest]
            return kept + list(latest.values())
        case Window():
            return [row for row in table if not _inside(row, mode)] + new


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(_batch(), st.booleans()), min_size=1, max_size=5))
def test_any_batches_give_the_same_rows_as_a_python_list(steps: list[tuple[tuple[Mode, list[Row]], bool]]) -> None:
    query = f"SELECT {', '.join(_COLUMNS)} FROM crawls"
    expected: list[Row] = []
    with tempfile.TemporaryDirectory() as home:
        wh = Warehouse(Path(home))
        for (mode, new), merge in steps:
            with wh.batch("model") as batch:
                batch.add("crawls", new)
                batch.commit({"crawls": mode})
            expected = _apply(expected, mode, new)
            if merge:
                wh.merge(own=batch.id)
            assert _plain(rows(wh, query, pending=True)) == _plain(
                tuple(row[name] for name in _COLUMNS) for row in expected
            )
        wh.merge(own=batch.id)
        assert _plain(rows(wh, query)) == _plain(map(_values, expected))
        assert_published_is_live(wh)


def _values(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in _COLUMNS)


def _plain(found: Iterable[tuple[Any, ...]]) -> list[str]:
    """Rows as sorted text: exact, and independent of how a library represents UTC."""
    return sorted(repr([_plain_value(value) for value in row]) for row in found)


def _plain_value(value: Any) -> Any:
    if isinstance(value, float):
        return value + 0.0  # DuckDB reads minus zero in JSON as zero
    return value.isoformat() if isinstance(value, datetime) else value
