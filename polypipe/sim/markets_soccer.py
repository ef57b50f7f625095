"""The markets of a soccer game, spread over its sibling events."""

from polypipe.sim.listing import Listing
from polypipe.sim.model import Game
from polypipe.sim.names import LAST_NAMES
from polypipe.sim.notation import ascii_slug, day, pt


def soccer(listing: Listing, game: Game) -> None:
    """Add the markets of one part of a game: result, halftime, exact score, more markets or player props."""
    add, event = listing.add, listing.event
    names = (game.home, game.away, f"Draw ({game.home} vs. {game.away})")
    suffixes = (*game.codes, "draw")
    half = (game.start_at + 50 * 60) // 60 * 60
    if not event.part:
        for side in (0, 2, 1):
            question = (
                f"Will {names[side]} win on {day(game.start_at)}?"
                if side < 2
                else f"Will {game.home} vs. {game.away} end in a draw?"
            )
            add(
                question,
                suffixes[side],
                "moneyline",
                chance=(0.42, 0.31, 0.27)[side],
                win=game.winner == side,
                group=names[side],
                neg_risk=True,
            )
    elif event.part == "halftime-result":
        leader = listing.r.randint(0, 2)
        for side in (0, 2, 1):
            add(
                f"{names[side]} leading at halftime?" if side < 2 else "Level at halftime?",
                f"{suffixes[side]}-halftime",
                "soccer_halftime_result",
                chance=0.33,
                win=leader == side,
                group=names[side],
                neg_risk=True,
                settles_at=half,
            )
    elif event.part == "exact-score":
        final = tuple(sum(1 for _, side in game.script if side == s) for s in (0, 1))
        for n in range(9):
            home, away = n // 3, n % 3
            add(
                f"Exact Score: {game.home} {home}-{away} {game.away}?",
                f"exact-{home}-{away}",
                "soccer_exact_score",
                chance=0.1,
                win=final == (home, away),
                group=f"{home}-{away}",
                neg_risk=True,
            )
        other = add(
            "Exact Score: Any Other Score?",
            "exact-other",
            "soccer_exact_score",
            chance=0.1,
            win=max(final) > 2,
            group="Other",
            neg_risk=True,
        )
        other.deployed = False
    elif event.part == "more-markets":
        for line in (1.5, 2.5, 3.5, 4.5):
            add(
                f"{game.home} vs. {game.away}: O/U {line}",
                f"total-{pt(line)}",
                "totals",
                ("Over", "Under"),
                line,
                group=f"O/U {line}",
            )
        for side, line in ((0, -1.5), (1, -1.5), (0, -2.5)):
            add(
                f"Spread: {names[side]} ({line})",
                f"spread-{suffixes[side]}-{pt(-line)}",
                "spreads",
                (names[side], names[1 - side]),
                line,
            )
        add(f"{game.home} vs. {game.away}: Both Teams to Score", "btts", "both_teams_to_score")
        add(
            f"{game.home} vs. {game.away}: Total Corners O/U 9.5",
            "corners-9pt5",
            "total_corners",
            ("Over", "Under"),
            9.5,
        )
        for side in (0, 1):
            add(
                f"{names[side]}: Team Total O/U 1.5",
                f"team-total-{suffixes[side]}",
                "soccer_team_totals",
                ("Over", "Under"),
                1.5,
            )
        late = game.start_at + 2700 - event.listed_at
        add(
            f"{game.home} vs. {game.away}: video review after the break?",
            "var",
            "soccer_var_review",
            listed_after=late // 60 * 60,
        )
    else:
        for name in listing.r.sample(LAST_NAMES, 7):
            add(f"{name}: 1+ goals", f"goals-{ascii_slug(name)}-gte1", "soccer_player_goals", chance=0.2, group=name)
