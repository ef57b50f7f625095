"""Check of Python and the libraries against the versions that were tested together."""

import importlib.metadata
import re
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from polypipe.doctor.inputs import Inputs
from polypipe.doctor.result import Result, ok, skipped, warning

LOCKED = Path(__file__).parents[2] / "requirements.lock"
NAMED = 5


def check_versions(inputs: Inputs) -> Result:
    """Python and the libraries have the versions that were tested together."""
    try:
        locked = locked_versions(LOCKED.read_text("utf-8"))
    except OSError:
        return skipped("versions", f"Python {_python()}; no requirements.lock to compare with")
    installed = {name: version for name in locked if (version := installed_version(name)) is not None}
    return judge_versions(locked, installed)


def judge_versions(locked: Mapping[str, set[str]], installed: Mapping[str, str]) -> Result:
    """Compares installed libraries only; the lock also has those for development."""
    others = [
        f"{name} {version} instead of {' or '.join(sorted(locked[name]))}"
        for name, version in installed.items()
        if version not in locked[name]
    ]
    finding = f"Python {_python()}, {len(installed)} libraries"
    if not others:
        return ok("versions", f"{finding} as locked")
    more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
    named = ", ".join(others[:NAMED])
    return warning("versions", f"{finding}, not as locked: {named}{more}", "make env installs the tested versions")


def locked_versions(text: str) -> dict[str, set[str]]:
    """Versions by name from a requirements file; several if they depend on Python's version."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", text, re.MULTILINE):
        found[name].add(version)
    return found


def installed_version(name: str) -> str | None:
    """The version of an installed library, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _python() -> str:
    return ".".join(map(str, sys.version_info[:3]))
