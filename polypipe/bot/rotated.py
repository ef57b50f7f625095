"""Logs that stand beside the file under another name since it was rotated, and were not read to their end."""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from polypipe.bot.logs import Log, decoded, first_line, hash_of
from polypipe.bot.offsets import Position, is_stored, start_of, tail_of
from polypipe.warehouse import Warehouse


def unfinished(warehouse: Warehouse, path: Path, log: Log, known: list[Position]) -> Iterator[tuple[Path, Position]]:
    """(file, from where to read it) of each, the oldest first, when the file at `path` is another log than was read last.

    The rest of the log that was read last, and the logs that began since and were rotated before anybody read them. A
    compressed log is not read. `known` are all positions of that name, the last read first; none: nothing was missed.
    """
    if not known:
        return
    with path.open("rb") as file:
        now = first_line(file, log)
    last = known[0]
    found: list[tuple[datetime, int, Path, Position]] = []
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
                    continue  # an older log, or none at all
                start = start_of(warehouse, log, file, status.st_ino, status.st_size, known)
                if start is None:
                    continue
                nothing_new = start.began == "rotated" or start.byte_offset == status.st_size
                if nothing_new and is_stored(warehouse, log, first, known):
                    continue  # a copy of what was read
                found.append((at, -status.st_size, other, start))
    seen = set()
    for _, _, other, start in sorted(found, key=lambda one: (one[3] is not last, *one[:2])):
        if start.log_id not in seen:  # of two copies of a log the longer one
            seen.add(start.log_id)
            yield other, start
