import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.caches.categories import CATEGORIES, is_unknown_type, tennis_category

QUESTIONS = Path("../shared/polymarket/recordings/tennis_questions.tsv")

BY_TYPE = {
    "moneyline": "moneyline",
    "tennis_set_handicap": "set_handicap",
    "tennis_match_totals": "game_totals",
    "tennis_set_totals": "set_totals",
    "tennis_completed_match": "other",
    "tennis_first_set_winner": "other",
    "tennis_set_winner": "other",
    "tennis_first_set_totals": "other",
    "tennis_set_games_totals": "other",
    "tennis_game_handicap": "other",
}


@pytest.mark.parametrize(("market_type", "category"), BY_TYPE.items())
def test_type_takes_precedence_over_the_wording(market_type, category):
    assert tennis_category(market_type, "Set Handicap: A (-1.5) vs B (+1.5)") == category
    assert not is_unknown_type(market_type)


def test_unknown_type_is_other_and_is_reported():
    assert tennis_category("tennis_tiebreaks", "Open: A vs B") == "other"
    assert is_unknown_type("tennis_tiebreaks")
    assert not is_unknown_type(None)
    assert not is_unknown_type("")


@pytest.mark.parametrize(
    ("question", "category"),
    [
        # outrights: curly and straight apostrophes, with and without the question mark
        ("Will Ann Bo win the 2027 Men's US Open?", "tournament_winner"),
        ("Will Ann Bo win the 2027 Men’s US Open?", "tournament_winner"),
        ("Will Ann Bo win the 2027 Men’s US Open", "tournament_winner"),
        ("Will another player win the 2027 Lisbon Open?", "tournament_winner"),
        ("Will any other player win the 2027 Monte Carlo Masters?", "tournament_winner"),
        ("Will Ann Bo & Édith Roger-Vas win the 2027 Oslo Cup?", "tournament_winner"),
        ("Will Ann Bo win the 2027 men's singles tournament at the Lisbon Open?", "tournament_winner"),
        ("Will Ann Bo win Wimbledon?", "tournament_winner"),
        # not a tournament
        ("Will Ann Bo win a calendar Grand Slam in 2027?", "other"),
        ("Will any other male player win a calendar Grand Slam in 2027?", "other"),
        ("Will Ann Bo win the first set?", "other"),
        ("Will Ann Bo win a match at the 2027 US Open?", "other"),
        ("Will Ann Bo play at Wimbledon?", "other"),
        ("Wimbledon 2027: Any Player to Break a Racket?", "other"),
        # questions that the old script got wrong
        ("Set 1 Winner: Bo vs Cy", "other"),
        ("Set 2 Winner: Bo vs Cy", "other"),
        ("Game Spread: Bo (-2.5) vs Cy (+2.5)", "other"),
        ("Game Handicap: Bo (-4.5) vs Cy (+4.5)", "other"),
        ("Bo vs. Cy: Set 1 Games O/U 8.5", "other"),
        ("Bo vs. Cy: Set 4 Games O/U 9.5", "other"),
        ("Bo vs. Cy: Exact Match Score", "other"),
        ("Lisbon Open: Completed Match: Ann Bo vs Di Cy", "other"),
        ("Bo vs. Cy: Total Games O/U 22.5", "game_totals"),
        ("Bo vs. Cy: Match O/U 36.5", "game_totals"),
        ("Musetti vs. Cy: Match O/U 22.5", "game_totals"),  # "set" inside a name
        # typed wordings on rows without a type
        ("Set Handicap: Bo (-1.5) vs Cy (+1.5)", "set_handicap"),
        ("Ann Bo vs. Di Cy: Total Sets O/U 2.5", "set_totals"),
        ("Ann Bo vs. Di Cy: Total Sets: O/U 2.5", "set_totals"),
        ("Lisbon Open: Ann Bo vs Di Cy", "moneyline"),
        ("Lisbon Open: Bo vs. Cy", "moneyline"),
        ("Lisbon Open (Doubles): Bo/Ed vs Cy/Fa", "moneyline"),
        ("US Open, Qualification WTA: Ann Bo vs Di Cy", "moneyline"),
        ("Internazionali BNL d'Italia: Ann Bo vs Di Cy", "moneyline"),
        ("Winston-Salem Open: Juan Musetti Bo vs Di Cy", "moneyline"),
        ("", "other"),
    ],
)
def test_wording_decides_without_a_type(question, category):
    assert tennis_category(None, question) == category
    assert tennis_category("", question) == category


@given(st.none() | st.text(max_size=20), st.text(max_size=200))
def test_every_row_has_a_category(market_type, question):
    assert tennis_category(market_type, question) in CATEGORIES


@pytest.mark.skipif(not QUESTIONS.exists(), reason="recordings are not beside the repository")
def test_recorded_questions_get_the_category_of_their_type():
    with QUESTIONS.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) > 50
    for row in rows:
        market_type, question = row["sportsMarketType"], row["question"]
        if market_type in BY_TYPE:
            assert tennis_category(None, question) == BY_TYPE[market_type], question
        elif question.startswith("Will ") and "Grand Slam" not in question:
            assert tennis_category(None, question) == "tournament_winner", question
