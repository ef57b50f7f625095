"""Fixtures of the tests of divergence_data.db."""

from pathlib import Path

import pytest

from polypipe.warehouse import Warehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "home")
