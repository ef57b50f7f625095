"""Tables, columns and comments as the text of the migrations defines them: no database is opened.

For what must not import DuckDB, like Dagster's definitions. Understands what our migrations use: `CREATE TABLE`,
`ALTER TABLE ... ADD COLUMN` and `COMMENT ON`. A test compares the result with a migrated database.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from polypipe.warehouse.migrate import LEDGER, migrations

_STATEMENT = re.compile(
    r"""^CREATE\ TABLE\ (?P<created>\w+)\ \(\n(?P<body>.*?)\n\);
    |^ALTER\ TABLE\ (?P<altered>\w+)\ ADD\ COLUMN\ (?P<added>[^;]+);
    |^COMMENT\ ON\ (?:TABLE|COLUMN)\ (?P<target>[\w.]+)\ IS\ '(?P<comment>(?:[^']|'')*)';""",
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
_COLUMN = re.compile(r"(?P<name>\w+) (?P<type>\w+(?:\[\])?)(?P<required> NOT NULL)?")


@dataclass
class DocumentedColumn:
    """A column; `type` is spelled as in the migration (TIMESTAMPTZ)."""

    name: str
    type: str
    nullable: bool
    comment: str = ""


@dataclass
class DocumentedTable:
    """A table with its columns in order."""

    name: str
    comment: str = ""
    columns: dict[str, DocumentedColumn] = field(default_factory=dict)


@cache
def catalog() -> Mapping[str, DocumentedTable]:
    """Every table by name, bookkeeping included; a later comment replaces an earlier one.

    Raises `KeyError` if a comment names a table or column that no migration before it creates.
    """
    tables: dict[str, DocumentedTable] = {}
    for text in _texts():
        for found in _STATEMENT.finditer(text):
            if name := found["created"]:
                tables[name] = DocumentedTable(name)
                for line in found["body"].splitlines():
                    _add_column(tables[name], line.strip().rstrip(","))
            elif name := found["altered"]:
                _add_column(tables[name], found["added"])
            else:
                table, _, column = found["target"].partition(".")
                target = tables[table].columns[column] if column else tables[table]
                target.comment = found["comment"].replace("''", "'")
    return tables


def _texts() -> Iterator[str]:
    yield LEDGER
    for migration in migrations():
        yield migration.path.read_text("utf-8")


def _add_column(table: DocumentedTable, definition: str) -> None:
    parsed = _COLUMN.fullmatch(definition)
    if parsed is None:
        raise ValueError(f"table {table.name}: cannot read the column definition {definition!r}")
    table.columns[parsed["name"]] = DocumentedColumn(parsed["name"], parsed["type"], parsed["required"] is None)
