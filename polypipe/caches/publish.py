"""Publishing: the only way in which a file of the bot is replaced.

Validates the content in memory, asks the guard, writes a temporary file next to the target, fsyncs, calls `os.replace`,
fsyncs the directory, and adds a row to table `publications`. Readers see the whole old file or the whole new one.
"""

# ruff: noqa: S608 -- values go into SQL as literals, which spares the import of pandas

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from operator import ne
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

from polypipe.caches.formats import Format, FormatError
from polypipe.caches.guard import Refusal, shrink_refusal, shrinks_too_much
from polypipe.caches.spec import Built, CacheSpec, Sources
from polypipe.errors import PolypipeError
from polypipe.files import make_reachable, one_at_a_time, replace_file, sweep_leftovers
from polypipe.warehouse import Append, Warehouse
from polypipe.warehouse.connection import literal

FIRST = "first publication"

LOOK_BACK = timedelta(days=30)
"""How far back the guard looks for the last accepted publication; without one it counts the entries of the file."""

RECORD_WAIT_SECONDS = 2.0
"""How long recording a publication waits for the warehouse; after that the row stays in the spool and is merged later."""


@dataclass(frozen=True)
class Publication:
    """One attempt to replace a file of the bot, and its outcome: a row of table `publications`.

    `added`, `removed` and `changed` compare token ids with the file before; if the bot could not read that, every entry
    is added. `observed_at` is when the data was read from Polymarket. `rewritten` is false if the entries were the same.
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
    """The file was not replaced. The message names the file and the reason."""

    def __init__(self, publication: Publication) -> None:
        super().__init__(f"{publication.file} is not replaced: {publication.reason}")
        self.publication = publication


def publish_cache(spec: CacheSpec, sources: Sources, allow_shrink: bool = False) -> tuple[Built, Publication]:
    """Build a cache file and publish it. Raises what building raises, and `PublicationRefused`."""
    built = spec.build(sources)
    publication = publish(
        sources.settings.bot_dir / spec.file,
        spec.format,
        built.content,
        crawl_id=built.crawl_id,
        observed_at=built.observed_at,
        warehouse=sources.warehouse,
        allow_shrink=allow_shrink,
    )
    return built, publication


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
    """Replace the file at `path` with `content`, or leave it unchanged and raise `PublicationRefused`.

    The content must come from a crawl that was proven complete. Every publication is recorded, refused ones included.
    """
    fault = _fault(format, content)
    payload = b"" if fault else format.encode(content)
    new = format.flatten(content)
    with one_at_a_time(warehouse.layout.home / "run" / f"publish{path.name}.lock"):
        old_payload, old = _read_old(path, format)
        difference = _difference(new, old or {})
        publication = Publication(
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
        reason = fault or _shrink(warehouse, publication, old, allow_shrink)
        if reason:
            _refuse(warehouse, publication, reason)
        if old is not None and difference == {"added": 0, "removed": 0, "changed": 0}:
            # Not rewritten for the same entries, even if other fields differ (`updated` of the categorized file).
            same = {"bytes": len(old_payload), "sha256": hashlib.sha256(old_payload).hexdigest()}
            return _record(warehouse, publication, reason="unchanged", **same)
        try:
            make_reachable(path.parent)
            sweep_leftovers(path)
            replace_file(path, payload)
        except OSError as error:
            _refuse(warehouse, publication, f"it cannot be written to {path.parent}: {error.strerror or error}")
        return _record(warehouse, publication, rewritten=True, reason="" if old is not None else FIRST)


def _read_old(path: Path, format: Format) -> tuple[bytes, dict[str, Any] | None]:
    """(bytes, entries) of the file; (empty, None) if it is missing or the bot could not read it."""
    try:
        payload = path.read_bytes()
        return payload, format.flatten(format.parse(payload))
    except (OSError, FormatError):
        return b"", None


def _difference(new: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, int]:
    before = list(map(old.get, new))  # None if the id is new: no file contains null
    added = before.count(None)
    changed = sum(map(ne, before, new.values())) - added
    return {"added": added, "removed": len(old) - (len(new) - added), "changed": changed}


def _fault(format: Format, content: Any) -> str | None:
    """The reason why the bot could not read the content, or None."""
    try:
        format.validate(content)
    except FormatError as error:
        return f"its content is not what the bot reads: {error}"
    return None


def _shrink(warehouse: Warehouse, publication: Publication, old: Mapping[str, Any] | None, allow: bool) -> str | None:
    if allow:
        return None
    with warehouse.read() as con:
        history = con.execute(
            "SELECT accepted, entries, crawl_id FROM publications "
            f"WHERE file = {literal(publication.file)} AND time > {literal(publication.time - LOOK_BACK)} "
            "ORDER BY time, publication_id"
        ).fetchall()
    last_accepted = next((entries for accepted, entries, _ in reversed(history) if accepted), None)
    if last_accepted is None and old is not None:
        last_accepted = len(old)  # written by the old script
    since: list[Refusal] = []
    for accepted, entries, crawl_id in history:
        if accepted:
            since.clear()
        elif shrinks_too_much(entries, last_accepted):
            since.append(Refusal(crawl_id, entries))
    return shrink_refusal(publication.entries, last_accepted, publication.crawl_id, since)


def _refuse(warehouse: Warehouse, publication: Publication, reason: str) -> NoReturn:
    raise PublicationRefused(_record(warehouse, publication, accepted=False, reason=reason))


def _record(warehouse: Warehouse, publication: Publication, **outcome: Any) -> Publication:
    publication = replace(publication, **outcome)
    with warehouse.batch("publication") as batch:
        batch.add("publications", [asdict(publication)])
        batch_id = batch.commit({"publications": Append()})
    # While another process holds the warehouse the row waits in the spool; `Warehouse.read` includes it.
    warehouse.store(batch_id, wait=RECORD_WAIT_SECONDS)
    return publication
