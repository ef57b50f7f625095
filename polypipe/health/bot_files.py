"""Probes of the files on the bot's disk: whether the bot can read them, and whether their content is plausible.

They only report; the checks that can stop a publication run before the file is replaced (`caches/publish.py`).
"""

# ruff: noqa: S608 -- values are written as literals, which spares the import of pandas

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from polypipe.caches.formats import FormatError
from polypipe.caches.publish import FIRST
from polypipe.caches.spec import CacheSpec
from polypipe.health.facts import Facts
from polypipe.health.finding import Finding, Probe, judged
from polypipe.legacy.database import inspect
from polypipe.text import count
from polypipe.warehouse.connection import literal

MIN_COVERAGE = 0.99
MAX_CHANGED_SHARE = 0.5
MAX_LIVE_SHARE = 0.5
EXPORT_FILE = "divergence_data.db"


@dataclass(frozen=True)
class LastPublication:
    """The last accepted publication of a file."""

    entries: int | None
    reason: str | None
    added: int
    removed: int
    changed: int


def file_entries(facts: Facts) -> Iterator[Finding]:
    """Whether each file parses as strictly as in the bot, and has entries."""
    for spec in facts.specs:
        entries, error = content(facts, spec)
        if not entries and not error and not _accepted_empty(facts, spec):
            error = "the file is empty: it wipes the bot's map"
        yield judged(bool(error), spec.file, error or count(len(entries), "entry", "entries"), len(entries))


def file_coverage(facts: Facts) -> Iterator[Finding]:
    """The share of the stored universe's tokens that belong in the file and are in it."""
    for spec in facts.specs:
        rows = facts.read(lambda con, spec=spec: con.execute(spec.expected(facts.settings)).fetchall())  # type: ignore[misc]
        expected = {token for (token,) in rows}
        if not expected:
            empty = _accepted_empty(facts, spec)
            yield judged(not empty, spec.file, "the stored universe has no such token", 0, MIN_COVERAGE)
            continue
        share = len(expected & content(facts, spec)[0].keys()) / len(expected)
        yield judged(
            share < MIN_COVERAGE, spec.file, f"{share:.2%} of {count(len(expected), 'token')}", share, MIN_COVERAGE
        )


def file_changes(facts: Facts) -> Iterator[Finding]:
    """The share of the entries that the last publication changed."""
    for spec in facts.specs:
        last = last_publication(facts, spec)
        if last is None:
            yield judged(True, spec.file, f"{spec.file} was never published")
            continue
        touched, most = last.added + last.removed + last.changed, MAX_CHANGED_SHARE * max(last.entries or 0, 1)
        words = f"{last.added} added, {last.removed} removed, {last.changed} changed"
        text = f"{last.reason}: {words}" if last.reason else words
        yield judged(last.reason != FIRST and touched >= most, spec.file, text, touched, most)


def file_live_count(facts: Facts) -> Iterator[Finding]:
    """Whether a plausible number of tokens is in play, for the file that says so."""
    for spec in facts.specs:
        if spec.asset == "live_cache":
            entries, _ = content(facts, spec)
            live, most = sum(value is True for value in entries.values()), MAX_LIVE_SHARE * len(entries)
            yield judged(not 0 < live <= most, spec.file, f"{live} of {len(entries)} tokens are in play", live, most)


def export_whole(facts: Facts) -> Iterator[Finding]:
    """Whether the old tool's database is undamaged and can be read."""
    rows, error = inspect(facts.settings.bot_dir / EXPORT_FILE)
    yield judged(error is not None, EXPORT_FILE, error or count(rows, "row"), rows)


BOT_FILES = (
    Probe("file_entries", "bot files", "critical", file_entries),
    Probe("file_coverage", "bot files", "warning", file_coverage),
    Probe("file_changes", "bot files", "warning", file_changes),
    Probe("file_live_count", "bot files", "warning", file_live_count),
    Probe("export_whole", "bot files", "critical", export_whole),
)


def content(facts: Facts, spec: CacheSpec) -> tuple[Mapping[str, Any], str]:
    """A file's entries, and what is wrong with it ("": nothing). Read once a round."""
    if spec.file not in facts.contents:
        facts.contents[spec.file] = _read(facts, spec)
    return facts.contents[spec.file]


def _read(facts: Facts, spec: CacheSpec) -> tuple[Mapping[str, Any], str]:
    path = facts.settings.bot_dir / spec.file
    try:
        return spec.format.flatten(spec.format.decode(path.read_bytes())), ""
    except FileNotFoundError:
        return {}, f"{path} does not exist"
    except (OSError, FormatError) as error:
        return {}, f"the bot would ignore {path}: {error}"


def last_publication(facts: Facts, spec: CacheSpec) -> LastPublication | None:
    """The last accepted publication of a file, or None."""
    query = (
        "SELECT entries, reason, added, removed, changed FROM publications "
        f"WHERE file = {literal(spec.file)} AND accepted ORDER BY time DESC LIMIT 1"
    )
    row = facts.read(lambda con: con.execute(query).fetchone())
    return None if row is None else LastPublication(*row)


def _accepted_empty(facts: Facts, spec: CacheSpec) -> bool:
    """An off-season: the guard has accepted an empty file."""
    last = last_publication(facts, spec)
    return last is not None and last.entries == 0
