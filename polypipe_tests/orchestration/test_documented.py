"""Columns and source links of assets in the UI."""

from pathlib import Path

import dagster as dg
import pytest

from polypipe.caches.registry import CACHES
from polypipe.definitions import TABLES, build_defs
from polypipe.warehouse.catalog import catalog
from polypipe.warehouse.tables import DAY_COLUMN

PACKAGE = Path(__file__).resolve().parents[2] / "polypipe"


@pytest.fixture
def specs():
    return {spec.key.to_user_string(): spec for spec in build_defs().resolve_all_asset_specs()}


def shown(spec, table):
    """The schema of a table in the metadata of an asset: its column schema, or an entry named after the table."""
    return spec.metadata.get(f"columns of {table}") or spec.metadata["dagster/column_schema"]


def test_every_published_table_belongs_to_an_asset(specs):
    assert {table for tables in TABLES.values() for table in tables} == set(DAY_COLUMN)
    assert set(TABLES) <= set(specs)


def test_every_column_is_shown_with_its_comment(specs):
    for asset, table in ((asset, table) for asset, tables in TABLES.items() for table in tables):
        described = [(c.name, c.type, c.constraints.nullable, c.description) for c in shown(specs[asset], table).columns]
        assert described == [(c.name, c.type, c.nullable, c.comment) for c in catalog()[table].columns.values()]
        assert all(description for *_, description in described), table


def test_cache_asset_keeps_the_schema_of_its_file(specs):
    for cache in CACHES:
        assert specs[cache.asset].metadata["dagster/column_schema"].columns[0].name == "token_id"


def test_every_asset_links_to_its_source(specs):
    for name, spec in specs.items():
        references = spec.metadata["dagster/code_references"].code_references
        assert references, name
        for reference in references:
            lines = Path(reference.file_path).read_text().splitlines()
            assert Path(reference.file_path).is_relative_to(PACKAGE), name
            assert lines[reference.line_number - 1].lstrip().startswith(("def ", "@dg.", "async def ")), (name, reference)


def test_cache_asset_links_to_the_function_that_builds_its_file(specs):
    for cache in CACHES:
        paths = [
            reference.file_path for reference in specs[cache.asset].metadata["dagster/code_references"].code_references
        ]
        assert paths[0].endswith(cache.build.__module__.replace(".", "/") + ".py")


def test_simulated_assets_keep_columns_and_links(monkeypatch):
    monkeypatch.setenv("POLYPIPE_SIMULATED", "1")
    for spec in build_defs().resolve_all_asset_specs():
        assert spec.description.startswith("**SIMULATED DATA**")
        assert spec.metadata["dagster/code_references"].code_references


def test_unknown_table_is_an_error():
    from polypipe.orchestration.documented import with_columns

    with pytest.raises(KeyError, match="nowhere"):
        with_columns(dg.AssetSpec("a"), ["nowhere"])
