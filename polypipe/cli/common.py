"""What the commands share: the settings, and the one line with which a command gives up."""

import sys
from collections.abc import Mapping
from typing import NoReturn

import click

from polypipe import settings as settings_module
from polypipe.settings import SettingError, Settings

SIMULATED = "SIMULATED DATA: everything below comes from polypipe's own stand-in, not from Polymarket"


def load_settings(overrides: Mapping[str, str] | None = None) -> Settings:
    """The settings; a bad one ends the command with its one line."""
    try:
        return settings_module.load(overrides=overrides)
    except SettingError as error:
        fail(str(error))


def fail(message: str, code: int = 1) -> NoReturn:
    """Say why, in one line on stderr, and exit with `code`."""
    click.echo(f"polypipe: {message}", err=True)
    sys.exit(code)
