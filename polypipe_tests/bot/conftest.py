"""Fixtures for tests that read a log."""

from pathlib import Path

import pytest

from polypipe.warehouse import Warehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "home")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "matches_optimized.csv"
