"""The archive of a backup: a compressed tar whose first member is a manifest of all others.

Written completely or not at all. Reading trusts nothing in it.
"""

import gzip
import hashlib
import io
import os
import re
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

import msgspec

from polypipe.errors import PolypipeError
from polypipe.files import flush, fsync

FORMAT = 1
MANIFEST = "manifest.json"
_MANIFEST_BYTES = 64_000_000
_CHUNK = 1 << 20
_PART = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_ALLOWED = re.compile(
    rf"polypipe\.duckdb|alerts\.toml|alerts/{_PART}\.json|bot/\.?{_PART}\.json|spool/\d{{8}}T\d{{12}}-{_PART}/{_PART}"
    rf"|dagster/(?:{_PART}/){{0,3}}{_PART}\.db"
)


class Entry(msgspec.Struct):
    """One file in the archive."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """What the archive holds, and which versions wrote it.

    `tables`: rows of each table of the database. `batches`: ids of the waiting batches, which are not in the tables.
    `left_out`: what the backup does not contain, in words. `simulated`: it is a backup of a demo.
    """

    format: int
    created_at: datetime
    polypipe: str
    schema: int
    versions: dict[str, str]
    tables: dict[str, int]
    batches: list[str]
    left_out: list[str]
    files: dict[str, Entry]
    simulated: bool = False


def entries(root: Path) -> dict[str, Entry]:
    """Size and checksum of every file below `root`, by relative path."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[path.relative_to(root).as_posix()] = Entry(path.stat().st_size, digest)
    return found


def write_archive(root: Path, manifest: Manifest, target: Path) -> None:
    """Write the files below `root` to the new file `target`, durably, readable by its owner only.

    `target` is a temporary name; the caller renames it.
    """
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as raw:
        with (
            gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw) as packed,
            tarfile.open(fileobj=packed, mode="w|") as tar,
        ):
            _add(tar, MANIFEST, io.BytesIO(body := msgspec.json.encode(manifest)), len(body))
            for name, entry in manifest.files.items():
                with (root / name).open("rb") as file:
                    _add(tar, name, file, entry.bytes)
        raw.flush()
        flush(raw.fileno())


def _add(tar: tarfile.TarFile, name: str, file: IO[bytes], size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    tar.addfile(info, file)


def unpack(archive: Path, root: Path) -> Manifest:
    """Unpack into the empty directory `root`, and check every byte against the manifest.

    Raises `PolypipeError` for anything that differs from an archive of `write_archive`. Writes only below `root`.
    """
    with _errors_in_one_line(archive), gzip.open(archive) as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
        first = tar.next()
        if first is None or first.name != MANIFEST or not first.isreg() or first.size > _MANIFEST_BYTES:
            raise PolypipeError(f"{archive} is not a backup of polypipe: its first member is not a manifest")
        stream = tar.extractfile(first)
        manifest = _manifest(archive, stream.read() if stream else b"")
        missing = dict(manifest.files)
        while (member := tar.next()) is not None:
            entry = missing.pop(member.name, None)
            if entry is None or not member.isreg() or member.size != entry.bytes:
                raise PolypipeError(f"{archive}: member {member.name[:100]!r} does not match the manifest")
            stream = tar.extractfile(member)
            if stream is None or _write(stream, root / member.name) != entry:
                raise PolypipeError(f"{archive} is damaged: {member.name} does not match the manifest")
        if missing:
            raise PolypipeError(f"{archive} is incomplete: {next(iter(missing))} is missing")
        while packed.read(_CHUNK):  # to gzip's checksum at the end, which also covers the manifest
            pass
    return manifest


def _manifest(archive: Path, body: bytes) -> Manifest:
    try:
        found = msgspec.json.decode(body, type=Manifest)
    except msgspec.DecodeError as error:
        raise PolypipeError(f"{archive} is not a backup of polypipe: {error}") from None
    if found.format != FORMAT:
        raise PolypipeError(f"{archive} has format {found.format}, but this version reads only format {FORMAT}")
    for name in found.files:
        if not _ALLOWED.fullmatch(name):
            raise PolypipeError(f"{archive}: unexpected member {name[:100]!r}")
    return found


def _write(stream: IO[bytes], path: Path) -> Entry:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            file.write(chunk)
    fsync(path)
    return Entry(size, digest.hexdigest())


@contextmanager
def _errors_in_one_line(archive: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeError, ValueError) as error:
        raise PolypipeError(f"{archive} cannot be read as a backup: {' '.join(str(error).split())[:200]}") from None
