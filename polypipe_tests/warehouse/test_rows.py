"""Row types match the migrations."""

from pathlib import Path

from polypipe.warehouse import rows
from polypipe.warehouse.connection import fetch_rows, open_memory
from polypipe.warehouse.rows import WalletPnlRow
from polypipe_tests.warehouse.row_types import source


def test_row_types_match_the_migrations() -> None:
    text = Path(rows.__file__).read_text("utf-8")
    assert text == source(), "run: python -m polypipe_tests.warehouse.row_types"


def test_fetched_rows_are_dicts_by_column_name() -> None:
    with open_memory() as con:
        result = con.execute("SELECT '1' AS wallet, NULL AS t, 0.5::DOUBLE AS p, '1h' AS fidelity, NULL AS fetched_at")
        found = fetch_rows(result, WalletPnlRow)
    assert found == [{"wallet": "1", "t": None, "p": 0.5, "fidelity": "1h", "fetched_at": None}]
