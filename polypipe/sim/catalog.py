"""The fixed vocabulary of the simulated exchange: tags, leagues, market types, settlement texts. Names: `names.py`.

Tag, series and sport ids are those of the public API.
"""

from dataclasses import dataclass

SPORTS_TAG, TENNIS_TAG, GAMES_TAG, LIGUE1_TAG = 1, 864, 100639, 102070
UNIVERSE_TAGS = frozenset({SPORTS_TAG, TENNIS_TAG, GAMES_TAG, LIGUE1_TAG})
SOCCER_TAG, ATP_TAG, WTA_TAG, ESPORTS_TAG = 100350, 101232, 102123, 64

# id -> (label, slug)
TAGS: dict[int, tuple[str, str]] = {
    SPORTS_TAG: ("Sports", "sports"),
    GAMES_TAG: ("Games", "games"),
    TENNIS_TAG: ("Tennis", "tennis"),
    ATP_TAG: ("ATP", "atp"),
    WTA_TAG: ("WTA", "wta"),
    SOCCER_TAG: ("Soccer", "soccer"),
    LIGUE1_TAG: ("Ligue 1", "ligue-1"),
    82: ("EPL", "EPL"),
    780: ("La Liga", "la-liga"),
    101962: ("Serie A", "serie-a"),
    745: ("NBA", "nba"),
    899: ("NHL", "nhl"),
    100381: ("MLB", "mlb"),
    ESPORTS_TAG: ("Esports", "esports"),
    65: ("League of Legends", "league-of-legends"),
    100780: ("Counter-Strike 2", "counter-strike-2"),
    2: ("Politics", "politics"),
    84: ("Weather", "weather"),
    74: ("Science", "science"),
    100265: ("Geopolitics", "geopolitics"),
    103040: ("Daily Temperature", "temperature"),
}


@dataclass(frozen=True, slots=True)
class League:
    """One competition, with the fields that `/sports` serves."""

    prefix: str
    name: str
    sport_id: int
    series_id: int
    series_slug: str
    tags: tuple[int, ...]
    play: str  # notation of its score: tennis, soccer, points or esports
    minutes: int  # length of a match
    resolution: str


ATP = League("atp", "ATP", 45, 10365, "atp", (TENNIS_TAG, 1, GAMES_TAG), "tennis", 130, "https://www.atptour.com/")
WTA = League("wta", "WTA", 46, 10366, "wta", (TENNIS_TAG, 1, GAMES_TAG), "tennis", 110, "https://www.wtatennis.com/")
# Challenger matches have their own series but an `atp-` slug.
CHALLENGER = League(
    "atp", "Challenger", 47, 10972, "challenger", (TENNIS_TAG, 1, GAMES_TAG), "tennis", 115, "https://www.atptour.com/"
)
# Exhibitions carry the tennis tag but not the sports one.
EXHIBITION = League(
    "tennisexh",
    "Exhibition",
    48,
    10973,
    "tennis-exhibition",
    (TENNIS_TAG, GAMES_TAG),
    "tennis",
    90,
    "https://www.itftennis.com/",
)
LIGUE1 = League(
    "fl1",
    "Ligue 1",
    11,
    10195,
    "ligue-1",
    (1, GAMES_TAG, LIGUE1_TAG, SOCCER_TAG),
    "soccer",
    112,
    "https://www.ligue1.com/",
)
EPL = League(
    "epl",
    "EPL",
    2,
    10188,
    "premier-league",
    (1, GAMES_TAG, SOCCER_TAG, 82),
    "soccer",
    112,
    "https://www.premierleague.com/",
)
LA_LIGA = League(
    "lal", "La Liga", 3, 10193, "la-liga", (1, GAMES_TAG, SOCCER_TAG, 780), "soccer", 112, "https://www.laliga.com/"
)
SERIE_A = League(
    "sea",
    "Serie A",
    12,
    10203,
    "serie-a",
    (1, GAMES_TAG, SOCCER_TAG, 101962),
    "soccer",
    112,
    "https://www.legaseriea.it/",
)
NBA = League("nba", "NBA", 34, 10345, "nba-2026", (1, 745, GAMES_TAG), "points", 150, "https://www.nba.com/")
NHL = League("nhl", "NHL", 35, 10346, "nhl-2026", (1, 899, GAMES_TAG), "points", 155, "https://www.nhl.com/")
MLB = League("mlb", "MLB", 8, 3, "mlb", (1, GAMES_TAG, 100381), "points", 185, "https://www.mlb.com/")
# Esports matches carry the games tag only.
LOL = League(
    "lol",
    "LoL",
    39,
    10311,
    "league-of-legends",
    (ESPORTS_TAG, 65, GAMES_TAG),
    "esports",
    140,
    "https://lolesports.com/",
)
CS2 = League(
    "cs2", "CS2", 37, 10310, "counter-strike", (ESPORTS_TAG, 100780, GAMES_TAG), "esports", 130, "https://www.hltv.org/"
)

LEAGUES = (ATP, WTA, CHALLENGER, EXHIBITION, LIGUE1, EPL, LA_LIGA, SERIE_A, NBA, NHL, MLB, LOL, CS2)

# Types without a category of their own: they must fall into "other".
UNKNOWN_TYPES = ("tennis_tiebreak_in_match", "tennis_aces_over_under", "soccer_var_review", "player_first_touch")

MARKET_TYPES = (
    "moneyline", "spreads", "totals", "double_chance", "correct_score", "both_teams_to_score", "team_totals",
    "first_half_moneyline", "first_half_spreads", "first_half_totals", "anytime_touchdowns", "points", "rebounds",
    "assists", "child_moneyline", "map_handicap", "tennis_completed_match", "tennis_first_set_winner",
    "tennis_set_winner", "tennis_set_handicap", "tennis_set_totals", "tennis_match_totals",
    "tennis_first_set_totals", "tennis_set_games_totals", "tennis_game_handicap", "soccer_exact_score",
    "soccer_halftime_result", "soccer_second_half_result", "soccer_first_to_score", "soccer_team_totals",
    "soccer_player_goals", "total_corners", *UNKNOWN_TYPES,
)  # fmt: skip

RULES = (
    "This market is about {subject}, listed for {date}. It settles on the first named outcome when the official "
    "result is in that side's favour, and on the second otherwise.\n\nWhen the contest is put off, the market stays "
    "open until it has been completed. When it is called off with no make-up date, or stopped before the point that "
    "the question asks about, the market settles 50-50. A walkover before the start counts as called off; a "
    "retirement after the start counts as a win for the side that goes through.\n\nOnly the part of play that the "
    "question names is counted. Extra periods count for the winner of the whole contest and for nothing else, unless "
    "the question says otherwise. Later changes made to the record by a jury, a protest or a disqualification are "
    "not taken into account after the market has settled. A question that names a line is settled by the count alone, "
    "and a count that lands exactly on a whole line settles 50-50. Times are given in Eastern Time.\n\n"
    "The source for settlement is the record kept by the "
    "body that runs the competition ({source}). If that record has not appeared within two days of the end, a "
    "consensus of credible reports may be used in its place."
)
CONTEXT = (
    "Traders lean on recent form and on the head-to-head record; the spread has been stable since the listing and "
    "most of the volume sits on the favourite. Weather, travel and the schedule of the coming week are the open "
    "points that could still move the price before the start. {subject} remains the reference market of this event."
)
