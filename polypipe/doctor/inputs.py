"""What the checks look at: the settings, the clock, and what was gathered for several of them, each gathered once."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from polypipe.doctor.bot_program import Named, read_named
from polypipe.doctor.network import Network
from polypipe.health import facts as health
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse


@dataclass(frozen=True)
class Facts:
    """`now` is UTC; `dotenv` is where a `.env` would be."""

    settings: Settings
    now: datetime
    dotenv: Path
    network: Network

    @cached_property
    def warehouse(self) -> Warehouse:
        """The tables of this home; nothing is opened yet."""
        return Warehouse(self.settings.home)

    @cached_property
    def health(self) -> health.Facts:
        """What the probes of health look at. It opens the tables when a check first asks, until the program ends."""
        return health.Facts(self.settings, self.now, warehouse=self.warehouse)

    @cached_property
    def any_data(self) -> bool:
        """Whether polypipe has ever stored anything in this home."""
        layout = self.warehouse.layout
        return layout.pointer.exists() or layout.database.exists() or layout.spool.exists()

    @cached_property
    def bot_program(self) -> Named:
        """What the bot's sources and programs say."""
        return read_named(self.settings.bot_dir)
