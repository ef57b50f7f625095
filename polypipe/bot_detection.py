"""Detects the profile of the bot in a directory from its log, files and source.

Reads the end of the log, a few names and the Rust files that hold the settings; never a `.env`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from polypipe.bot_profile import CLASSIC, PROFILES, BotProfile

LOG = "matches_optimized.csv"
TAIL_BYTES = 256 << 10
SOURCES = ("src/settings.rs", "src/config/settings.rs", "src/config/mod.rs", "src/config.rs")
"""Files that hold the constants and the names of the settings in the public programs."""

MAX_SOURCE = 1 << 20

_CONSTANT = re.compile(r"const\s+([A-Z][A-Z0-9_]*)\s*:\s*(?:f64|f32|bool|u\d+|i\d+)\s*=\s*([^;]{1,40});")
_COMMENT = re.compile(r"//[^\n]*")


@dataclass(frozen=True)
class Detected:
    """The profile that a bot's directory shows; None if nothing identifies it. `evidence` is one line for people.

    `other` is the profile that the files show if the log shows another one: the log is what runs.
    """

    profile: BotProfile | None
    evidence: str = ""
    other: BotProfile | None = None


def detect(directory: Path) -> Detected:
    """Detect the profile. The newest line of the log that only one profile writes decides, else the files."""
    by_files, evidence = _by_files(directory)
    by_log = _by_log(directory / LOG)
    if by_log is None:
        return Detected(by_files, evidence)
    profile, tag = by_log
    other = by_files if by_files not in (None, profile) else None
    strategy = tag.strip("[(")
    if strategy in ("FIXED", "ADAPTIVE"):
        profile = replace(profile, strategy=strategy)
    return Detected(profile, f"the log has {tag}", other)


@dataclass(frozen=True)
class Trader:
    """An enabled entry of `traders.json`: address (lower case, with 0x), smallest fill to copy in shares."""

    address: str
    min_shares: float


def traders(directory: Path) -> list[Trader]:
    """The whales that a `traders` bot follows by its `traders.json`; empty without a readable one."""
    try:
        with (directory / "traders.json").open("rb") as file:
            entries = json.loads(file.read(MAX_SOURCE))
        return [
            Trader("0x" + entry["address"].strip().lower().removeprefix("0x"), float(entry.get("min_shares") or 0))
            for entry in entries
            if entry.get("enabled", True)
        ]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # missing, or as the bot would refuse it
        return []


def constants(directory: Path) -> Mapping[str, str]:
    """Constants in the bot's source, name -> text of the value without digit separators."""
    return constants_in(_source(directory))


def constants_in(source: str) -> dict[str, str]:
    """The same in the text of Rust files."""
    found = _CONSTANT.findall(_COMMENT.sub("", source))
    return {name: value.strip().replace("_", "") for name, value in found}


def _by_files(directory: Path) -> tuple[BotProfile | None, str]:
    source = _source(directory)
    for profile in PROFILES.values():
        for word in profile.words:
            if re.search(rf"\b{word}\b", source):
                return profile, f"its source has {word}"
    for profile in PROFILES.values():
        for pattern in profile.files:
            if any(directory.glob(pattern)):
                return profile, f"its directory has {pattern}"
    return (CLASSIC, "its source has SCALING_RATIO") if "SCALING_RATIO" in source else (None, "")


def _by_log(path: Path) -> tuple[BotProfile, str] | None:
    """The profile whose tag is last in the log, and that tag."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            tail = file.read(TAIL_BYTES).decode("utf-8", "replace")
    except OSError:  # missing, or unreadable: doctor reports it
        return None
    last: tuple[int, BotProfile, str] | None = None
    for profile in PROFILES.values():
        for found in re.finditer("|".join(profile.tags) or r"(?!)", tail):
            if last is None or found.start() > last[0]:
                last = found.start(), profile, found.group()
    return None if last is None else (last[1], last[2].strip())


def _source(directory: Path) -> str:
    texts = []
    for name in SOURCES:
        try:
            with (directory / name).open("rb") as file:
                texts.append(file.read(MAX_SOURCE).decode("utf-8", "replace"))
        except OSError:
            continue
    return "\n".join(texts)
