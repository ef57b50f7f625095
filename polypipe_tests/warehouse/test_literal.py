"""SQL literals: a value selected as a literal comes back unchanged."""

from datetime import UTC, date, datetime

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.warehouse.connection import literal

TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("'\"\0\\;-"))


@pytest.fixture(scope="module")
def con():
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@given(value=st.none() | st.booleans() | TEXTS | st.integers(-(2**63), 2**63 - 1))
def test_text_and_integers_survive_a_literal(con, value):
    assert con.execute(f"SELECT {literal(value)}").fetchone() == (value,)


@pytest.mark.parametrize(
    "value", [1.5, -0.1, 1e300, "a\0b", "\0", datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC), date(2026, 2, 28)]
)
def test_other_types_survive_a_literal(con, value):
    found = con.execute(f"SELECT {literal(value)}").fetchone()[0]
    assert found == value
    assert type(found) is type(value)
