"""`polypipe sql`: queries over the published tables, one at a time or from a prompt."""

from typing import Any, TextIO

from polypipe.text import count
from polypipe.warehouse.read import describe
from polypipe.warehouse.warehouse import Warehouse


def run(warehouse: Warehouse, query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return column names and rows of a query over the published tables, which have their comments.

    The query runs in memory; its changes are discarded. Raises `duckdb.Error` for an invalid query.
    """
    with warehouse.read(pending=False) as con:
        describe(con)
        con.execute(query)
        return [name for name, *_ in con.description or []], con.fetchall()


def format_table(columns: list[str], rows: list[tuple[Any, ...]]) -> str:
    """Format rows as aligned plain text, null as an empty cell, followed by the number of rows."""
    cells = [columns, *[["" if value is None else str(value) for value in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, f"({count(len(rows), 'row')})"])


def shell(warehouse: Warehouse, stdin: TextIO, stdout: TextIO) -> None:
    """Read statements that end in `;` and print their rows, until end of input, `exit` or `quit`.

    Each statement sees the version published at that moment.
    """
    import duckdb

    statement = ""
    while True:
        print("       -> " if statement else "polypipe> ", end="", file=stdout, flush=True)
        line = stdin.readline()
        if not line or (not statement and line.strip().rstrip(";") in ("exit", "quit")):
            print(file=stdout)
            return
        statement += line
        if not statement.strip():
            statement = ""
        elif statement.rstrip().endswith(";"):
            try:
                print(format_table(*run(warehouse, statement)), file=stdout)
            except duckdb.Error as error:
                print(error, file=stdout)
            statement = ""
