"""The mark of a restore that is putting files in place: a home that still has it is half of one state, half of another."""

from pathlib import Path

from polypipe.files import fsync, replace_file

MARK = "RESTORING"


def mark(home: Path, archive: Path, aside: Path | None) -> None:
    """Write the mark, durably, before the first file is moved."""
    old = f"; what was there before is in {aside}" if aside else ""
    line = f"a restore into {home} was cut off: run `polypipe restore {archive.absolute()} --force` again{old}"
    replace_file(home / MARK, line.encode())


def unmark(home: Path) -> None:
    """Remove the mark, once the last file is in place."""
    (home / MARK).unlink()
    fsync(home)


def unfinished(home: Path) -> str | None:
    """One line about the restore that was cut off on this home, and what to do; None when none was.

    Also while a restore is at work, which holds the lock of `polypipe up`.
    """
    try:
        return (home / MARK).read_text("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
