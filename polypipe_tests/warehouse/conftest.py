"""A warehouse in a temporary directory."""

from pathlib import Path

import pytest

from polypipe.warehouse import Warehouse


@pytest.fixture
def wh(tmp_path: Path) -> Warehouse:
    # A quote and glob characters in the path, which SQL text and DuckDB's globbing must handle.
    return Warehouse(tmp_path / "it's [a] home*")
