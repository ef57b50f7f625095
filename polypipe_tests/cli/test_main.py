"""The command group: how errors of all commands are printed."""

import errno
import sqlite3

import click
import duckdb
import pytest
import sqlalchemy.exc
from click.testing import CliRunner

from polypipe.cli.main import Commands
from polypipe.errors import PolypipeError


def failing(error: Exception) -> Commands:
    @click.group(cls=Commands)
    def group() -> None:
        """A group with one command."""

    @group.command()
    def fail() -> None:
        raise error

    return group


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (PolypipeError("port 3000 is in use"), "polypipe: port 3000 is in use\n"),
        (PolypipeError("port 3000 is in use", "stop it"), "polypipe: port 3000 is in use\nhint: stop it\n"),
    ],
)
def test_error_prints_message_and_hint_on_stderr_and_exits_1(error: PolypipeError, lines: str) -> None:
    result = CliRunner().invoke(failing(error), ["fail"], catch_exceptions=False)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", lines)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.EROFS, "Read-only file system", "/h/x"), "/h/x cannot be read or written: Read-only file system"),
        (duckdb.InvalidInputException("No magic\nbytes"), "the tables cannot be read: No magic bytes"),
        (
            sqlalchemy.exc.DatabaseError("SELECT 1", {}, sqlite3.DatabaseError("file is not a database")),
            "Dagster's storage cannot be used: file is not a database",
        ),
    ],
)
def test_what_only_the_user_can_repair_is_one_line(error: Exception, line: str) -> None:
    result = CliRunner().invoke(failing(error), ["fail"], catch_exceptions=False)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[0] == f"polypipe: {line}"
    assert result.stderr.splitlines()[1].startswith("hint: ")


@pytest.mark.parametrize("error", [OSError("no file is named"), duckdb.BinderException("no such column")])
def test_error_of_a_library_that_is_our_mistake_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)):
        CliRunner().invoke(failing(error), ["fail"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("arguments", "line"), [(["fail", "--nope"], "No such option '--nope'."), (["nope"], "No such command 'nope'.")]
)
def test_wrong_arguments_are_one_line_and_exit_code_2(arguments: list[str], line: str) -> None:
    result = CliRunner().invoke(failing(ValueError()), arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    message, hint = result.stderr.splitlines()
    assert message == f"polypipe: {line}"
    assert hint.startswith("hint: ")
    assert hint.endswith("--help")


def test_error_that_is_not_ours_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        CliRunner().invoke(failing(ZeroDivisionError()), ["fail"], catch_exceptions=False)


def test_error_as_text_has_message_and_hint_on_one_line() -> None:
    assert str(PolypipeError("port 3000 is in use", "stop it")) == "port 3000 is in use; stop it"
