"""Checks of the six cache files in the bot's directory, parsed exactly as the bot does."""

import hashlib
import json
import os
import stat
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from polypipe.caches.formats import Format, FormatError
from polypipe.caches.registry import CACHES
from polypipe.caches.spec import CacheSpec
from polypipe.doctor.inputs import Inputs
from polypipe.doctor.result import Result, error, ok, skipped, unknown, warning
from polypipe.health.facts import UnknownFact
from polypipe.health.finding import Finding
from polypipe.health.records import FileState
from polypipe.health.registry import BY_NAME
from polypipe.text import count, duration

MAKE = "polypipe up keeps the files fresh, polypipe refresh writes them once"
OLD_SCRIPTS = "build_live_cache.py, build_sports_cache.py, fetch_categorized_atp.py, fetch_ligue1.py"
SETTLING = timedelta(seconds=30)
"""The publication of a file younger than this may not be recorded yet."""


def check_files(inputs: Inputs) -> Iterator[Result]:
    """The six files are valid, fresh, written by polypipe and readable by the bot.

    Whether a file is old or was refused is the finding of the health registry.
    """
    published: dict[str, FileState] = {}
    ages: dict[str, Finding] = {}
    unreadable = ""
    if inputs.any_data:
        try:
            published = {file.name: file for file in inputs.health.files if file.accepted_at is not None}
            ages = {finding.key: finding for finding in BY_NAME["file_old"].run(inputs.health)}
        except UnknownFact as failure:
            unreadable = failure.message
    for spec in CACHES:
        path = inputs.settings.bot_dir / spec.file
        yield check_file(spec, path, published.get(spec.file), ages.get(spec.file), inputs.now, unreadable)


def check_file(
    spec: CacheSpec, path: Path, published: FileState | None, age: Finding | None, now: datetime, unreadable: str = ""
) -> Result:
    """Read the file once and judge it.

    `published` is its last accepted publication, `age` the finding of probe `file_old`, both None without one;
    `unreadable` says why they cannot be read.
    """
    try:
        with path.open("rb") as file:
            payload, state = file.read(), os.fstat(file.fileno())
    except FileNotFoundError:
        if published is None:
            return (
                unknown(spec.file, f"missing; {unreadable}")
                if unreadable
                else skipped(spec.file, "does not exist yet", MAKE)
            )
        return error(spec.file, f"{path} is missing; last published {_ago(published, now)} ago", MAKE)
    except OSError as failure:
        return error(spec.file, f"{path} cannot be read: {failure.strerror}", "make it readable for this user")
    return judge_file(spec, payload, state, published, age, now, unreadable)


def judge_file(
    spec: CacheSpec,
    payload: bytes,
    state: os.stat_result,
    published: FileState | None,
    age: Finding | None,
    now: datetime,
    unreadable: str,
) -> Result:
    """The worst problem of a file, by its effect on the bot."""
    try:
        entries = spec.format.flatten(spec.format.parse(payload))
    except FormatError as fault:
        what = f"the bot ignores this file and keeps its old data: {fault}"
        return error(
            spec.file, what, f"polypipe refresh replaces it; if it recurs, another program writes it ({OLD_SCRIPTS})"
        )
    believed_empty = published is not None and published.entries == 0
    if not entries and not believed_empty:
        return error(spec.file, "it is empty: it would erase what the bot knows", "polypipe refresh")
    entries_text = count(len(entries), "entry", "entries")
    if published is None and unreadable:
        return unknown(
            spec.file, f"{entries_text}, valid; its publications cannot be read: {unreadable}", "see published tables"
        )
    if published is None or age is None:
        return warning(
            spec.file, f"{entries_text}; polypipe has not published it in the last 30 days: another program wrote it", MAKE
        )
    changed_at = datetime.fromtimestamp(state.st_mtime, UTC)
    if hashlib.sha256(payload).hexdigest() != published.sha256:
        if now - changed_at < SETTLING:
            return unknown(spec.file, f"{entries_text}; being replaced right now", "run doctor again")
        return error(
            spec.file,
            f"{entries_text}; not what polypipe published {_ago(published, now)} ago: another program wrote it "
            f"{duration(now - changed_at)} ago",
            f"remove the old scripts from every crontab ({OLD_SCRIPTS}), then polypipe refresh",
        )
    if wrong := contradiction(spec.format, payload):
        return warning(spec.file, f"{entries_text}; the bot accepts it, but {wrong}", "polypipe refresh")
    finding = f"{entries_text}; {age.text}"
    if age.state == "failing":
        why = f"; last refused: {published.refused}" if published.refused else ""
        return error(spec.file, f"{finding}{why}", f"{MAKE}; if it is up, see logs/daemon.log")
    if published.refused:
        return warning(
            spec.file,
            f"{finding}; a newer one was refused: {published.refused}",
            "wait, or run polypipe refresh --allow-shrink if the shrinkage is right",
        )
    if not state.st_mode & stat.S_IROTH or state.st_uid != os.getuid():
        who = "" if state.st_uid == os.getuid() else f", owned by uid {state.st_uid}"
        mode = stat.S_IMODE(state.st_mode)
        return warning(
            spec.file,
            f"{finding}; mode {mode:04o}{who}: a bot under another user may not be able to read it",
            f"chmod 644 {spec.file}",
        )
    return ok(spec.file, finding)


def _ago(published: FileState, now: datetime) -> str:
    return duration(now - (published.accepted_at or now))


def contradiction(format: Format, payload: bytes) -> str:
    """What the bot's loader accepts although it is wrong: a duplicate key, an invalid id. "" if nothing."""
    twice: list[str] = []

    def keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        known = dict(pairs)
        if len(known) != len(pairs):
            twice.extend(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        return known

    json.loads(payload, object_pairs_hook=keys)
    if twice:
        return f"key {twice[0]!r} is duplicated; the last one counts"
    try:
        format.decode(payload)
    except FormatError as fault:
        return str(fault)
    return ""
