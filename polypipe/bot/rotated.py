"""Finds rotated logs beside the file that were not read to their end."""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from polypipe.bot.logs import Log, decoded, first_line, hash_of
from polypipe.bot.offsets import LogPosition, is_stored, start_of, tail_of
from polypipe.warehouse import Warehouse


def unfinished(warehouse: Warehouse, path: Path, log: Log, known: list[LogPosition]) -> Iterator[tuple[Path, LogPosition]]:
    """Yields (file, position to read from), oldest first, if the file at `path` is not the log that was read last.

    These are the rest of the log that was read last, and logs that began since and were rotated before they were read.
    Compressed logs are not read. `known` are all positions of that name, last read first; without any, nothing is missing.
    """
    if not known:
        return
    with path.open("rb") as file:
        now = first_line(file, log)
    last = known[0]
    found: list[tuple[datetime, int, Path, LogPosition]] = []
    for other in path.parent.glob(f"{path.name}*"):
        if other == path or not other.is_file():
            continue
        with other.open("rb") as file:
            first, status = first_line(file, log), os.fstat(file.fileno())
            if first is None or first == now:
                continue
            if hash_of(first) == last.head:
                if status.st_size > last.byte_offset and tail_of(file, last.byte_offset) == last.tail:
                    found.append((last.day, -status.st_size, other, last))
            elif all(hash_of(first) != position.head for position in known):
                at = log.parse(decoded(first)[0].rstrip()).logged_at
                if at is None or at < last.day:
                    continue  # an older log, or not a log
                start = start_of(warehouse, log, file, status.st_ino, status.st_size, known)
                if start is None:
                    continue
                nothing_new = start.began == "rotated" or start.byte_offset == status.st_size
                if nothing_new and is_stored(warehouse, log, first, known):
                    continue  # a copy of a log that was read
                found.append((at, -status.st_size, other, start))
    seen = set()
    for _, _, other, start in sorted(found, key=lambda one: (one[3] is not last, *one[:2])):
        if start.log_id not in seen:  # the longer one of two copies
            seen.add(start.log_id)
            yield other, start
