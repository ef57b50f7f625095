"""Metadata that assets of all subjects show in the UI."""

from typing import Any

from polypipe.settings import Settings

_HARMLESS = str.maketrans({c: f"\\{c}" for c in r"\`*_{}[]()#+-.!|~"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"})


def simulated(settings: Settings) -> dict[str, Any]:
    """An entry that says so when the data is simulated, else none."""
    return {"SIMULATED DATA": "these numbers come from `polypipe demo`, not from Polymarket"} if settings.simulated else {}


def markdown(text: str) -> str:
    """Hostile text as plain text in a Markdown table cell: no markup, no HTML, one line."""
    return " ".join(text.split())[:120].translate(_HARMLESS)
