"""Names of markets in sentences."""

from polypipe.text import plain


def market_name(title: str, outcome: str) -> str:
    """`"Who wins?" (Yes)`, with text from outside made harmless."""
    return f'"{plain(title) or "a market without a title"}" ({plain(outcome, 30) or "?"})'
