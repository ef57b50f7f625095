"""The markets of a tennis match, with the wordings and types of the real exchange."""

from polypipe.sim import catalog as cat
from polypipe.sim.listing import Listing
from polypipe.sim.model import Game
from polypipe.sim.notation import pt


def tennis(listing: Listing, game: Game) -> None:
    """Add the markets of a match. Doubles have only three, exhibitions have no game spread."""
    a, b = game.home, game.away
    sa, sb = a.split(" ", 1)[-1], b.split(" ", 1)[-1]
    names = f"{sa}-vs-{sb}".replace(" ", "-").replace("/", "-")
    add, win = listing.add, game.winner == 0
    full = f"{game.place}: {a} vs {b}"
    add(full, "", "moneyline", (a, b), win=win)
    if listing.event.kind == "doubles":
        add(f"{sa} vs. {sb}: Match O/U 22.5", "match-total-22pt5", "tennis_match_totals", ("Over", "Under"), 22.5)
        add(f"{game.place}: Completed Match: {a} vs {b}", "completed-match", "tennis_completed_match", chance=0.95)
        return
    length = game.end_at - game.start_at
    first_set = (game.start_at + length // 3) // 60 * 60
    add(
        f"{game.place}: Completed Match: {a} vs {b}",
        "completed-match",
        "tennis_completed_match",
        chance=0.95,
        group="Completed Match",
    )
    won_first = game.script[0][0] > game.script[0][1]
    add(
        f"Set 1 Winner: {sa} vs {sb}",
        f"first-set-winner-{names}",
        "tennis_first_set_winner",
        (sa, sb),
        win=won_first,
        group=f"{full} Set 1 Winner",
        settles_at=first_set,
    )
    favourite, other = (sb, sa) if listing.r.random() < 0.5 else (sa, sb)
    add(
        f"Set Handicap: {favourite} (-1.5) vs {other} (+1.5)",
        "set-handicap-away-1pt5",
        "tennis_set_handicap",
        (favourite, other),
        -1.5,
        group="Set Handicap +/-1.5",
    )
    add(
        f"{a} vs. {b}: Total Sets O/U 2.5",
        "set-totals-2pt5",
        "tennis_set_totals",
        ("Over 2.5", "Under 2.5"),
        2.5,
        win=len(game.script) > 2,
        group="Total Sets: O/U 2.5",
    )
    for line in (21.5, 22.5, 23.5):
        add(
            f"{sa} vs. {sb}: Match O/U {line}",
            f"match-total-{pt(line)}",
            "tennis_match_totals",
            ("Over", "Under"),
            line,
            group=f"Match O/U {line}",
        )
    add(
        f"{sa} vs. {sb}: Set 1 Games O/U 9.5",
        "first-set-total-9pt5",
        "tennis_first_set_totals",
        ("Over", "Under"),
        9.5,
        group="Set 1 O/U 9.5",
        settles_at=first_set,
    )
    if listing.event.kind != "exhibition":
        add(
            f"Game Spread: {favourite} (-3.5) vs {other} (+3.5)",
            "game-spread-3pt5",
            "tennis_game_handicap",
            (favourite, other),
            -3.5,
        )
    if listing.r.random() < 0.3:
        add(f"{sa} vs {sb}: a tiebreak is played?", "tiebreak", listing.r.choice(cat.UNKNOWN_TYPES[:2]))
    # Listed while the match is in play.
    second = first_set - listing.event.listed_at
    add(
        f"Set 2 Winner: {sa} vs {sb}",
        f"set-2-winner-{names}",
        "tennis_set_winner",
        (sa, sb),
        2,
        group=f"{full} Set 2 Winner",
        listed_after=second,
    )
    for line in (8.5, 9.5):
        add(
            f"{sa} vs. {sb}: Set 2 Games O/U {line}",
            f"set-2-total-{pt(line)}",
            "tennis_set_games_totals",
            ("Over", "Under"),
            line,
            listed_after=second + 600,
        )
