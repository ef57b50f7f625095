"""Support for the maintenance tests: settings of a home by its path."""

from pathlib import Path

from polypipe.settings import Settings
from polypipe_tests.conftest import NOWHERE, settings_for


def home_settings(path: Path) -> Settings:
    """Settings of the home at this path, without an exchange."""
    return settings_for(NOWHERE, POLYPIPE_HOME=str(path))
