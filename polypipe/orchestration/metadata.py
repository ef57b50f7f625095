"""Metadata that assets of all rooms show in the UI."""

from collections.abc import Mapping
from typing import Any

from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

_ESCAPES = str.maketrans({c: f"\\{c}" for c in r"\`*_{}[]()#+-.!|~"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"})


def simulated(settings: Settings) -> dict[str, Any]:
    """An entry that marks simulated data; empty for real data."""
    return {"SIMULATED DATA": "these numbers come from `polypipe demo`, not from Polymarket"} if settings.simulated else {}


def markdown(text: str) -> str:
    """Untrusted text as plain text for a Markdown table cell: no markup, no HTML, one line."""
    return " ".join(text.split())[:120].translate(_ESCAPES)


def table_metadata(warehouse: Warehouse, table: str) -> dict[str, Any]:
    """Name and location of a table, under the keys that the UI knows."""
    return {"dagster/table_name": f"polypipe.{table}", "dagster/uri": f"file://{warehouse.layout.database}"}


def reasons_table(reasons: Mapping[str, str], settings: Settings) -> str:
    """Unknown numbers and their reasons, as Markdown."""
    lines = markdown_head(settings)
    if not reasons:
        return "\n".join([*lines, "every number is known"])
    lines += ["| unknown | why |", "|---|---|"]
    return "\n".join(lines + [f"| {markdown(name)} | {markdown(reason)} |" for name, reason in reasons.items()])


def markdown_head(settings: Settings) -> list[str]:
    """First lines of a Markdown entry: a warning when the data is simulated, else none."""
    return ["**SIMULATED DATA**", ""] if settings.simulated else []
