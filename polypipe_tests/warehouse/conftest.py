"""A warehouse in a temporary directory."""

from pathlib import Path

import pytest

from polypipe.warehouse import Warehouse


@pytest.fixture
def wh(tmp_path: Path) -> Warehouse:
    # A quote and pattern characters in the path: SQL text and DuckDB's globbing must not stumble over them.
    return Warehouse(tmp_path / "it's [a] home*")
