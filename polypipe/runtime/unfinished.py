"""The mark of a restore in progress. A home that still has it is half old, half restored."""

from pathlib import Path

from polypipe.files import fsync, replace_file

MARK = "RESTORING"


def mark(home: Path, archive: Path, aside: Path | None) -> None:
    """Write the mark, durably, before the first file is moved."""
    old = f"; the old state is in {aside}" if aside else ""
    line = f"a restore into {home} was interrupted: run `polypipe restore {archive.absolute()} --force` again{old}"
    replace_file(home / MARK, line.encode())


def unmark(home: Path) -> None:
    """Remove the mark, once the last file is in place."""
    (home / MARK).unlink()
    fsync(home)


def unfinished(home: Path) -> str | None:
    """One line about the interrupted restore on this home, with the remedy, or None.

    Not None during a restore, too, which holds the lock of `polypipe up`.
    """
    try:
        return (home / MARK).read_text("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
