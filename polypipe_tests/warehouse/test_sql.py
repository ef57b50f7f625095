"""`polypipe sql`: one query or a prompt over the published tables, without side effects."""

import io

import duckdb
import pytest

from polypipe.warehouse import Warehouse
from polypipe.warehouse.sql import format_table, run, shell
from polypipe_tests.warehouse.helpers import write


def test_a_query_sees_published_rows_only_and_changes_nothing(wh: Warehouse) -> None:
    write(wh, "c1", tokens=3)
    wh.merge()
    write(wh, "c2", tokens=4)
    assert run(wh, "SELECT crawl_id, count(*) AS n FROM tokens GROUP BY 1") == (["crawl_id", "n"], [("c1", 3)])
    run(wh, "DROP VIEW tokens")
    assert run(wh, "SELECT count(*) FROM tokens")[1] == [(3,)]
    with pytest.raises(duckdb.Error, match="nothing_like_it"):
        run(wh, "SELECT * FROM nothing_like_it")


def test_the_prompt_accepts_multi_line_statements_and_continues_after_errors(wh: Warehouse) -> None:
    write(wh, "c1", tokens=3)
    wh.merge()
    output = io.StringIO()
    shell(wh, io.StringIO("\nSELECT count(*) AS n,\nNULL AS nothing FROM tokens;\nSELEC;\nexit\nSELECT 2;\n"), output)
    text = output.getvalue()
    assert "n  nothing\n-  -------\n3\n(1 row)\n" in text
    assert "Parser Error" in text
    assert text.count("polypipe> ") == 4
    assert text.count("       -> ") == 1
    shell(wh, io.StringIO("SELECT 1 AS unfinished"), output)  # end of input in the middle of a statement


def test_formatted_tables_are_aligned_with_null_as_empty() -> None:
    table = format_table(["id", "title"], [(1, "Ünï"), (222, None)])
    assert table == "id   title\n---  -----\n1    Ünï\n222\n(2 rows)"
    assert format_table(["x"], []) == "x\n-\n(0 rows)"
