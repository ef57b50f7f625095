"""Metadata that assets of all subjects show in the UI."""

from typing import Any

from polypipe.settings import Settings


def simulated(settings: Settings) -> dict[str, Any]:
    """An entry that says so when the data is simulated, else none."""
    return {"SIMULATED DATA": "these numbers come from `polypipe demo`, not from Polymarket"} if settings.simulated else {}


def markdown(text: str) -> str:
    """Hostile text as plain text in a Markdown table cell: no markup, no HTML, one line."""
    text = " ".join(text.split())[:120]
    return "".join(
        f"\\{c}" if c in r"\`*_{}[]()#+-.!|~" else {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(c, c) for c in text
    )
