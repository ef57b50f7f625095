"""Publishing: the one way by which a file that the bot reads is replaced.

Build and validate in memory, ask the guard, write a temp file beside the target, fsync, `os.replace`, fsync the directory,
record a row in table `publications`. Until the replace the old file is untouched; after it the new one is complete.
"""

# ruff: noqa: S608 -- values go into SQL as literals, which spares the import of pandas

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from operator import ne
from pathlib import Path
from typing import Any
from uuid import uuid4

from polypipe.caches.formats import Format, FormatError
from polypipe.caches.guard import Attempt, shrink_refusal, shrinks_too_much
from polypipe.errors import PolypipeError
from polypipe.files import one_at_a_time, replace_file, sweep_leftovers
from polypipe.warehouse import Append, Warehouse
from polypipe.warehouse.connection import literal

FIRST = "first publication"

LOOK_BACK = timedelta(days=30)
"""How far back the guard looks for the last accepted publication; before that the file itself tells its entries."""

RECORD_WAIT_SECONDS = 2.0
"""How long to wait for the warehouse when recording a publication; the row is safe in the spool either way."""


@dataclass(frozen=True)
class Publication:
    """What came of one attempt to publish: a row of table `publications`.

    `added`, `removed` and `changed` count token ids against what the bot could read before: with no readable file every
    entry is added. `observed_at` is when the data was read from Polymarket. `rewritten` is false when the
    content was the same.
    """

    publication_id: str
    file: str
    time: datetime
    observed_at: datetime
    crawl_id: str
    entries: int
    bytes: int
    sha256: str
    added: int
    removed: int
    changed: int
    accepted: bool
    rewritten: bool
    reason: str


class PublicationRefused(PolypipeError):
    """The old file stays. The message is one sentence that names the file and why."""

    def __init__(self, publication: Publication) -> None:
        super().__init__(f"{publication.file} is not replaced: {publication.reason}")
        self.publication = publication


def publish(
    path: Path,
    format: Format,
    content: Any,
    *,
    crawl_id: str,
    observed_at: datetime,
    warehouse: Warehouse,
    allow_shrink: bool = False,
) -> Publication:
    """Replace the file at `path` by `content`, or leave it untouched and raise `PublicationRefused`.

    The content must come from a crawl that was proven complete: callers have no other. Every attempt is recorded.
    """
    fault = _fault(format, content)
    payload = b"" if fault else format.encode(content)
    new = format.flatten(content)
    with one_at_a_time(warehouse.layout.home / "run" / f"publish{path.name}.lock"):
        old_payload, old = _read_old(path, format)
        difference = _difference(new, old or {})
        attempt = Publication(
            publication_id=uuid4().hex,
            file=path.name,
            time=datetime.now(UTC),
            observed_at=observed_at,
            crawl_id=crawl_id,
            entries=len(new),
            bytes=len(payload),
            sha256=hashlib.sha256(payload).hexdigest(),
            **difference,
            accepted=True,
            rewritten=False,
            reason="",
        )
        reason = fault or _shrink(warehouse, attempt, old, allow_shrink)
        if reason:
            return _refuse(warehouse, attempt, reason)
        if old is not None and difference == {"added": 0, "removed": 0, "changed": 0}:
            # The same entries, whatever else the file says (`updated` of the categorized file): nothing to rewrite.
            same = {"bytes": len(old_payload), "sha256": hashlib.sha256(old_payload).hexdigest()}
            return _record(warehouse, attempt, reason="unchanged", **same)
        try:
            sweep_leftovers(path)
            replace_file(path, payload)
        except OSError as error:
            return _refuse(warehouse, attempt, f"it cannot be written to {path.parent}: {error.strerror or error}")
        return _record(warehouse, attempt, rewritten=True, reason="" if old is not None else FIRST)


def _read_old(path: Path, format: Format) -> tuple[bytes, dict[str, Any] | None]:
    """The file's bytes and entries; entries are None when it is missing or the bot could not read it."""
    try:
        payload = path.read_bytes()
        return payload, format.flatten(format.parse(payload))
    except (OSError, FormatError):
        return b"", None


def _difference(new: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, int]:
    before = list(map(old.get, new))  # None where the id is new: no file holds a null
    added = before.count(None)
    changed = sum(map(ne, before, new.values())) - added
    return {"added": added, "removed": len(old) - (len(new) - added), "changed": changed}


def _fault(format: Format, content: Any) -> str | None:
    """What is wrong with the content, or None."""
    try:
        format.validate(content)
    except FormatError as error:
        return f"its content is not what the bot reads: {error}"
    return None


def _shrink(warehouse: Warehouse, attempt: Publication, old: Mapping[str, Any] | None, allow: bool) -> str | None:
    if allow:
        return None
    with warehouse.read() as con:
        history = con.execute(
            "SELECT accepted, entries, crawl_id FROM publications "
            f"WHERE file = {literal(attempt.file)} AND time > {literal(attempt.time - LOOK_BACK)} "
            "ORDER BY time, publication_id"
        ).fetchall()
    last_accepted = next((entries for accepted, entries, _ in reversed(history) if accepted), None)
    if last_accepted is None and old is not None:
        last_accepted = len(old)  # written by the script that we replace
    since: list[Attempt] = []
    for accepted, entries, crawl_id in history:
        if accepted:
            since.clear()
        elif shrinks_too_much(entries, last_accepted):
            since.append(Attempt(crawl_id, entries))
    return shrink_refusal(attempt.entries, last_accepted, attempt.crawl_id, since)


def _refuse(warehouse: Warehouse, attempt: Publication, reason: str) -> Publication:
    raise PublicationRefused(_record(warehouse, attempt, accepted=False, reason=reason))


def _record(warehouse: Warehouse, attempt: Publication, **outcome: Any) -> Publication:
    publication = Publication(**asdict(attempt) | outcome)
    with warehouse.batch("publication") as batch:
        batch.add("publications", [asdict(publication)])
        batch_id = batch.commit({"publications": Append()})
    # While somebody holds the warehouse the row waits in the spool, where readers of the pipeline see it too.
    warehouse.store(batch_id, wait=RECORD_WAIT_SECONDS)
    return publication
