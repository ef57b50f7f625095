"""Checks of the bot's directory and of the six files in it, read exactly as the bot would read them."""

import hashlib
import json
import os
import stat
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from polypipe.caches.formats import Format, FormatError
from polypipe.caches.registry import CACHES
from polypipe.caches.spec import CacheSpec
from polypipe.doctor.inputs import Facts
from polypipe.doctor.machine import nearest
from polypipe.doctor.result import Result, error, ok, skipped, unknown, warning
from polypipe.text import count, duration
from polypipe.warehouse import Warehouse

MAKE = "polypipe up keeps the files, polypipe refresh makes them once"
OLD_SCRIPTS = "build_live_cache.py, build_sports_cache.py, fetch_categorized_atp.py, fetch_ligue1.py"
SETTLING = timedelta(seconds=30)
"""So young a file may be one whose publication is being recorded this moment."""


@dataclass(frozen=True)
class Published:
    """The last accepted publication of a file, and the newest refusal after it ("" when there is none)."""

    time: datetime
    observed_at: datetime
    entries: int
    sha256: str
    refused: str = ""


def check_directory(facts: Facts) -> Result:
    """The bot's directory exists and can be written to, which is tried with a file of our own name, removed at once."""
    path = facts.settings.bot_dir
    name = "bot directory"
    if facts.settings.sources.get("bot_dir") == "default":
        advice = "set POLYPIPE_BOT_DIR to where the bot runs, or link the files there"
        where = f"{path} (inside POLYPIPE_HOME: the bot does not run there)"
    else:
        advice, where = "", str(path)
    try:
        kind = path.stat()
    except FileNotFoundError:
        if not os.access(nearest(path), os.W_OK | os.X_OK):
            return error(name, f"{path} does not exist, and cannot be made in {nearest(path)}", "make it, for this user")
        if not advice:  # somebody named it: more likely a slip than a bot that is still to come
            return warning(
                name,
                f"{path} does not exist: polypipe would make it, and a bot that runs elsewhere reads nothing of it",
                "set POLYPIPE_BOT_DIR to the directory where the bot runs, or make this one",
            )
        return skipped(name, f"{where} does not exist yet: it is made at the first start", advice)
    except OSError as failure:
        return error(name, f"{path} cannot be looked at: {failure.strerror}", f"let this user into {path}")
    if not stat.S_ISDIR(kind.st_mode):
        return error(name, f"{path} is not a directory", "set POLYPIPE_BOT_DIR to the directory where the bot runs")
    try:
        with tempfile.NamedTemporaryFile(dir=path, prefix=".polypipe-doctor.", suffix=".tmp") as probe:
            probe.write(b"probe")
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as failure:
        what = f"{path} cannot be written to: {failure.strerror}"
        return error(name, what, f"give this user (uid {os.getuid()}) the right to write there, or free space")
    return ok(name, f"{where} can be written to", [advice] if advice else [])


def check_files(facts: Facts) -> Iterator[Result]:
    """The six files: valid, fresh, ours, readable by the bot."""
    publications: dict[str, Published] = {}
    untold = ""
    try:
        if facts.any_data:
            publications = last_publications(facts.warehouse)
    except Exception as failure:  # the tables may be broken in any way: what the bot reads must be judged all the same
        untold = str(failure)
    for spec in CACHES:
        yield check_file(spec, facts.settings.bot_dir / spec.file, publications.get(spec.file), facts.now, untold)


def last_publications(warehouse: Warehouse) -> dict[str, Published]:
    """Of each file the last accepted publication, those in the spool included."""
    with warehouse.read() as con:
        rows = con.execute(
            "SELECT file, max_by(struct_pack(time, observed_at, entries, sha256), time) FILTER (WHERE accepted), "
            "max_by(struct_pack(time, reason), time) FILTER (WHERE NOT accepted) FROM publications GROUP BY file"
        ).fetchall()
    found = {}
    for file, accepted, refused in rows:
        if accepted is None or accepted["observed_at"] is None:
            continue
        newer = refused is not None and refused["time"] > accepted["time"]
        found[file] = Published(
            accepted["time"].astimezone(UTC),
            accepted["observed_at"].astimezone(UTC),
            accepted["entries"] or 0,
            accepted["sha256"] or "",
            refused["reason"] or "no reason given" if newer else "",
        )
    return found


def check_file(spec: CacheSpec, path: Path, published: Published | None, now: datetime, untold: str = "") -> Result:
    """Read the file once, and judge it. `untold`: why its publications cannot be read."""
    try:
        with path.open("rb") as file:
            payload, state = file.read(), os.fstat(file.fileno())
    except FileNotFoundError:
        if published is None:
            return unknown(spec.file, f"not there; {untold}") if untold else skipped(spec.file, "not there yet", MAKE)
        return error(spec.file, f"{path} is gone; it was last published {duration(now - published.time)} ago", MAKE)
    except OSError as failure:
        return error(spec.file, f"{path} cannot be read: {failure.strerror}", "let this user read it")
    return judge_file(spec, payload, state, published, now, untold)


def judge_file(
    spec: CacheSpec, payload: bytes, state: os.stat_result, published: Published | None, now: datetime, untold: str = ""
) -> Result:
    """The worst that can be said of a file, by what it does to the bot."""
    try:
        entries = spec.format.flatten(spec.format.parse(payload))
    except FormatError as fault:
        what = f"the bot ignores this file and keeps what it had: {fault}"
        return error(
            spec.file, what, f"polypipe refresh replaces it; if it comes back, somebody else writes it ({OLD_SCRIPTS})"
        )
    believed_empty = published is not None and published.entries == 0
    if not entries and not believed_empty:
        return error(spec.file, "it is empty: it wipes what the bot knows", "polypipe refresh")
    told = count(len(entries), "entry", "entries")
    if published is None and untold:
        return unknown(spec.file, f"{told}, valid; when it was published cannot be read: {untold}", "see published tables")
    if published is None:
        return warning(spec.file, f"{told}; written by something else than polypipe: no publication is known", MAKE)
    changed_at = datetime.fromtimestamp(state.st_mtime, UTC)
    if hashlib.sha256(payload).hexdigest() != published.sha256:
        if now - changed_at < SETTLING:
            return unknown(spec.file, f"{told}; it is being replaced this moment", "run doctor again")
        return error(
            spec.file,
            f"{told}; not what polypipe published {duration(now - published.time)} ago: somebody else wrote it "
            f"{duration(now - changed_at)} ago",
            f"remove the old scripts from every crontab ({OLD_SCRIPTS}), then polypipe refresh",
        )
    if wrong := contradiction(spec.format, payload):
        return warning(spec.file, f"{told}; the bot takes it, but {wrong}", "polypipe refresh")
    age = now - published.observed_at
    finding = f"{told}; read from Polymarket {duration(age)} ago, limit {duration(spec.fresh_within)}"
    if age > spec.fresh_within:
        why = f"; last refused: {published.refused}" if published.refused else ""
        return error(spec.file, f"{finding}: too old{why}", f"{MAKE}; the logs say why if it is up (logs/daemon.log)")
    if published.refused:
        return warning(
            spec.file,
            f"{finding}; a newer one was refused: {published.refused}",
            "wait, or refresh --allow-shrink knowingly",
        )
    if not state.st_mode & stat.S_IROTH or state.st_uid != os.getuid():
        who = "" if state.st_uid == os.getuid() else f", owned by uid {state.st_uid}"
        mode = stat.S_IMODE(state.st_mode)
        return warning(
            spec.file,
            f"{finding}; mode {mode:04o}{who}: a bot of another user may not be able to read it",
            f"chmod 644 {spec.file}",
        )
    return ok(spec.file, finding)


def contradiction(format: Format, payload: bytes) -> str:
    """What the bot's loader lets pass but is wrong: a key that stands twice, an id that is none. "" when nothing."""
    twice: list[str] = []

    def keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        known = dict(pairs)
        if len(known) != len(pairs):
            twice.extend(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        return known

    json.loads(payload, object_pairs_hook=keys)
    if twice:
        return f"{twice[0]!r} stands in it twice: the last one counts"
    try:
        format.decode(payload)
    except FormatError as fault:
        return str(fault)
    return ""
