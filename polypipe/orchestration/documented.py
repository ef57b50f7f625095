"""Metadata about an asset itself: the columns of its tables and links to its source."""

import inspect
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from polypipe.warehouse.catalog import Table, catalog

COLUMNS = "dagster/column_schema"
SOURCES = "dagster/code_references"

# Known and tested here; printed in every process, it would hide what matters.
warnings.filterwarnings("ignore", r".*`\w*(code_references|CodeReference)\w*`", category=dg.BetaWarning)


def with_columns(spec: dg.AssetSpec, tables: Sequence[str]) -> dg.AssetSpec:
    """Add the columns of `tables` to the asset: the first as its column schema, unless it has one, the others by name.

    Names, types, nullability and descriptions come from the text of the migrations. Raises `KeyError` for an unknown table.
    """
    first, *others = tables
    found = {COLUMNS: _schema(first)} if COLUMNS not in spec.metadata else {f"columns of {first}": _schema(first)}
    found |= {f"columns of {table}": _schema(table) for table in others}
    return spec.merge_attributes(metadata=found)


def _schema(table: str) -> dg.TableSchema:
    documented: Table = catalog()[table]
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                column.type,
                description=column.comment,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in documented.columns.values()
        ],
        constraints=dg.TableConstraints(other=[documented.comment]),
    )


def source_metadata(*functions: Callable[..., Any]) -> dict[str, Any]:
    """Links to the sources of functions that do an asset's work but are not decorated, as metadata.

    Local paths, which exist both in a checkout and where a wheel is installed. `dg.with_source_code_references` adds the
    decorated function to them.
    """
    references: list[Any] = []
    for function in functions:
        path = Path(inspect.getsourcefile(function) or "").resolve()
        line = function.__code__.co_firstlineno
        references.append(dg.LocalFileCodeReference(file_path=str(path), line_number=line))
    return {SOURCES: dg.CodeReferencesMetadataValue(code_references=references)}
