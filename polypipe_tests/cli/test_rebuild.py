"""`polypipe rebuild`: what it prints, and its exit codes."""

import pytest
from click.testing import CliRunner, Result

from polypipe.cli.main import main
from polypipe.warehouse import Warehouse
from polypipe_tests.conftest import NOWHERE, settings_for
from polypipe_tests.warehouse.losses import contents, fill, lose_a_day, overwrite


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    settings = settings_for(NOWHERE)
    monkeypatch.setenv("POLYPIPE_HOME", str(settings.home))
    warehouse = Warehouse(settings.home)
    fill(warehouse, days=2)
    return warehouse


def rebuild(*options: str) -> Result:
    return CliRunner().invoke(main, ["rebuild", *options], catch_exceptions=False)


@pytest.mark.slow
def test_rebuild_names_what_came_back(filled: Warehouse) -> None:
    result = rebuild()
    assert (result.exit_code, result.stdout) == (0, f"{filled.layout.home}: nothing is damaged\n")
    before = contents(filled)
    overwrite(filled.layout.database, 0, 16)
    result = rebuild()
    assert result.exit_code == 0
    assert "50 rows in 4 tables came back, nothing is lost" in result.stdout
    assert "  tokens: 40 rows\n" in result.stdout
    assert "  from published files: 6 files\n" in result.stdout
    assert contents(filled) == before
    result = rebuild("--always")
    assert (result.exit_code, "it was asked for" in result.stdout) == (0, True)
    assert contents(filled) == before


def test_rebuild_names_what_is_lost_and_exits_3(filled: Warehouse) -> None:
    lose_a_day(filled)
    result = rebuild()
    assert result.exit_code == 3
    assert "  lost: 3 rows of wallet_activity of 2026-11-21: published/wallet_activity.2026-11-21" in result.stdout


def test_rebuild_of_a_home_that_does_not_exist_makes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_for(NOWHERE)
    monkeypatch.setenv("POLYPIPE_HOME", str(settings.home))
    assert rebuild().exit_code == 0
    assert not settings.home.exists()
