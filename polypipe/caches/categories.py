"""Tennis market categories: by `sportsMarketType` if Polymarket sends one, else by the wording of the question.

Pure functions. The type takes precedence. The wordings are those of today's typed rows, so that an untyped row gets the
category that it would get with its type.
"""

import re

CATEGORIES = ("game_totals", "moneyline", "other", "set_handicap", "set_totals", "tournament_winner")

CATEGORY_OF_TYPE = {
    "moneyline": "moneyline",
    "tennis_set_handicap": "set_handicap",
    "tennis_match_totals": "game_totals",
    "tennis_set_totals": "set_totals",
}

# Known types without a category of their own. All other types are `other` too, but reported as unknown.
KNOWN_OTHER_TYPES = frozenset(
    {
        "tennis_completed_match",
        "tennis_first_set_totals",
        "tennis_first_set_winner",
        "tennis_game_handicap",
        "tennis_set_games_totals",
        "tennis_set_winner",
    }
)

_OUTRIGHT = re.compile(r"Will .+? win (?:the )?(?P<title>.+?)\??", re.IGNORECASE)
_TOURNAMENT = re.compile(r"\b20\d\d\b|\b(?:open|masters|finals|cup|championships?|wimbledon|tournament)\b", re.IGNORECASE)
# "win the first set", "win a match at the 2026 US Open", "win a calendar Grand Slam": not a tournament winner.
_NOT_A_TOURNAMENT = re.compile(r"\b(?:sets?|match(?:es)?|games?|points?|grand slams?|awards?|titles?)\b", re.IGNORECASE)

_WORDINGS = (
    (re.compile(r"Set Handicap:.+", re.IGNORECASE), "set_handicap"),
    (re.compile(r".+:\s*Total Sets:?\s*O/U\s*\d+(?:\.\d+)?", re.IGNORECASE), "set_totals"),
    (re.compile(r".+:\s*(?:Match|Total Games):?\s*O/U\s*\d+(?:\.\d+)?", re.IGNORECASE), "game_totals"),
)
# "<tournament>: <player> vs <player>" and nothing else: at most one label in front, and not that of a market.
_HEAD_TO_HEAD = re.compile(r"(?:(?P<label>[^:]+):\s)?[^:]+\svs\.?\s[^:]+", re.IGNORECASE)
_MARKET_LABEL = re.compile(
    r"\b(?:set|game|match)s?\b.*\b(?:winner|handicap|spread|score|totals?)\b|\b(?:spread|handicap|total|o/u|score)\b"
    r"|completed match",
    re.IGNORECASE,
)
_OVER_UNDER = re.compile(r"\bO/U\b|\([+-]\d", re.IGNORECASE)


def tennis_category(sports_market_type: str | None, question: str) -> str:
    """The category of a tennis market, one of `CATEGORIES`. An empty type counts as absent."""
    if sports_market_type:
        return CATEGORY_OF_TYPE.get(sports_market_type, "other")
    return category_from_wording(question)


def category_from_wording(question: str) -> str:
    """The category of a market without a type, from its question; `other` for an unknown wording."""
    text = question.strip().replace("’", "'")
    if (outright := _OUTRIGHT.fullmatch(text)) and _is_tournament(outright["title"]):
        return "tournament_winner"
    for pattern, category in _WORDINGS:
        if pattern.fullmatch(text):
            return category
    head_to_head = _HEAD_TO_HEAD.fullmatch(text)
    if head_to_head and not _OVER_UNDER.search(text) and not _MARKET_LABEL.search(head_to_head["label"] or ""):
        return "moneyline"
    return "other"


def is_unknown_type(sports_market_type: str | None) -> bool:
    """True for a tennis market type that this module does not know."""
    return bool(sports_market_type) and (
        sports_market_type not in CATEGORY_OF_TYPE and sports_market_type not in KNOWN_OTHER_TYPES
    )


def _is_tournament(title: str) -> bool:
    return bool(_TOURNAMENT.search(title)) and not _NOT_A_TOURNAMENT.search(title)
