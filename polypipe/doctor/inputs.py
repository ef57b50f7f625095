"""Inputs to the checks: the settings, the clock, and what several checks share, each read once."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from polypipe.doctor.answers import Network
from polypipe.doctor.bot_program import Named, read_named
from polypipe.health import facts as health
from polypipe.setting_sources import bot_names, read_layers
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse


@dataclass(frozen=True)
class Inputs:
    """`now` is UTC; `dotenv` is the path of `.env`, which may not exist."""

    settings: Settings
    now: datetime
    dotenv: Path
    network: Network

    @cached_property
    def warehouse(self) -> Warehouse:
        """The tables of this home, not opened yet."""
        return Warehouse(self.settings.home)

    @cached_property
    def health(self) -> health.Facts:
        """The facts of the health probes. Opens the tables on first use, until the program ends."""
        return health.Facts(self.settings, self.now, warehouse=self.warehouse)

    @cached_property
    def any_data(self) -> bool:
        """True if polypipe has ever stored anything in this home."""
        layout = self.warehouse.layout
        return layout.pointer.exists() or layout.database.exists() or layout.spool.exists()

    @cached_property
    def bot_settings(self) -> dict[str, str]:
        """The bot's own settings that polypipe can see: constants of its source, variables here and in `.env`."""
        return self.bot_program.constants | bot_names(read_layers(dotenv=self.dotenv))

    @cached_property
    def bot_program(self) -> Named:
        """What the bot's sources and binaries contain."""
        return read_named(self.settings.bot_dir)
