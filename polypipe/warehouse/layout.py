"""Paths of the warehouse's files."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Paths under one home directory."""

    home: Path

    @property
    def database(self) -> Path:
        """The live DuckDB file. Opened only by writers that hold the gate, and only through DuckDB."""
        return self.home / "polypipe.duckdb"

    @property
    def lock(self) -> Path:
        return self.home / "polypipe.lock"

    @property
    def spool(self) -> Path:
        return self.home / "spool"

    @property
    def rejected(self) -> Path:
        return self.spool / "rejected"

    @property
    def published(self) -> Path:
        return self.home / "published"

    @property
    def pointer(self) -> Path:
        return self.home / "CURRENT.json"

    @property
    def pointer_copy(self) -> Path:
        """The pointer again, so that `published/` is complete in itself."""
        return self.published / "CURRENT.json"

    @property
    def damaged(self) -> Path:
        """Damaged files that were moved aside, one directory an incident. People delete them."""
        return self.home / "damaged"

    @property
    def backups(self) -> Path:
        """Archives of `polypipe backup`."""
        return self.home / "backups"

    @property
    def recovery(self) -> Path:
        """What the last recovery found, brought back and lost."""
        return self.home / "recovery.json"

    def make(self) -> None:
        """Create missing directories."""
        for directory in (self.spool, self.published):
            directory.mkdir(parents=True, exist_ok=True)
