"""Where the warehouse keeps its files, and the two file operations that durability rests on."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Paths under one home directory."""

    home: Path

    @property
    def database(self) -> Path:
        """The live DuckDB file: opened by writers only, inside the gate, and only through DuckDB."""
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

    def make(self) -> None:
        """Create the directories that do not exist yet."""
        for directory in (self.spool, self.published):
            directory.mkdir(parents=True, exist_ok=True)


def fsync(path: Path) -> None:
    """Force a file's or a directory's content to disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` at `path` whole or not at all. One writer at a time: the temporary name is fixed."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(content)
    fsync(temporary)
    temporary.replace(path)
    fsync(path.parent)
