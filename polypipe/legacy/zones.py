"""The time zone of the old tool's local times."""

import os
from pathlib import Path
from zoneinfo import ZoneInfo

from polypipe.errors import PolypipeError


def zone_of(name: str | None) -> ZoneInfo:
    """The time zone of that name; the machine's without a name. Raises `PolypipeError` for an unknown name."""
    name = name or os.environ.get("TZ", "").removeprefix(":") or None
    try:
        if name is not None:
            return ZoneInfo(name)
        with Path("/etc/localtime").open("rb") as file:
            return ZoneInfo.from_file(file, key=_link_name())
    except FileNotFoundError:
        return ZoneInfo("UTC")
    except (ValueError, KeyError, OSError):
        raise PolypipeError(
            f"unknown time zone {name!r}", "use a name such as Europe/Paris, America/New_York or UTC"
        ) from None


def _link_name() -> str | None:
    """`Europe/Paris` when /etc/localtime is a link to it."""
    target = str(Path("/etc/localtime").resolve())
    return target.partition("/zoneinfo/")[2] or None
