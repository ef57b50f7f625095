"""The command group: how errors of all commands are printed."""

import click
import pytest
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


def test_error_that_is_not_ours_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        CliRunner().invoke(failing(ZeroDivisionError()), ["fail"], catch_exceptions=False)


def test_error_as_text_has_message_and_hint_on_one_line() -> None:
    assert str(PolypipeError("port 3000 is in use", "stop it")) == "port 3000 is in use; stop it"
