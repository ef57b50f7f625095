"""The markets of an event, by sport: wording, type, line, outcomes, and when each is listed and settled.

Wordings and types follow those of the real exchange; names do not.
"""

from polypipe.sim import catalog as cat
from polypipe.sim.model import Event, Game, Market, rng
from polypipe.sim.notation import ascii_slug, day


class _Book:
    """Collects the markets of one event in listing order."""

    def __init__(self, event: Event) -> None:
        self.event = event
        self.r = rng(event.seed, "markets", event.id)
        self.markets: list[Market] = []
        self.end = event.game.end_at // 60 * 60 if event.game else event.closed_at - 7200

    def add(
        self,
        question: str,
        suffix: str,
        kind: str | None,
        outcomes: tuple[str, str] = ("Yes", "No"),
        line: float | None = None,
        chance: float | None = None,
        win: bool | None = None,
        group: str = "",
        neg_risk: bool = False,
        listed_after: int = 0,
        settles_at: int | None = None,
    ) -> Market:
        r, event = self.r, self.event
        chance = round(r.uniform(0.15, 0.85), 2) if chance is None else chance
        settles = (settles_at or self.end) + (60 if event.game else 600) * r.randint(0, 8)
        market = Market(
            event=event,
            index=len(self.markets),
            question=question,
            slug=f"{event.slug}-{suffix}" if suffix else event.slug,
            type=kind,
            line=line,
            outcomes=outcomes,
            group_title=group,
            chance=chance,
            win=r.random() < chance if win is None else win,
            listed_at=event.listed_at + listed_after,
            settles_at=settles,
            neg_risk=None if r.random() < 0.01 else neg_risk,
        )
        if r.random() < 0.012:
            market.active = False
        self.markets.append(market)
        return market


def make_markets(event: Event) -> list[Market]:
    """All markets that the event ever lists, by the kind of slot and part."""
    book = _Book(event)
    game = event.game
    if game is None:
        _futures(book)
    elif game.league.play == "tennis":
        _tennis(book, game)
    elif game.league.play == "soccer":
        _soccer(book, game)
    elif game.league.play == "points":
        _points(book, game)
    else:
        _esports(book, game)
    return book.markets


def _tennis(book: _Book, game: Game) -> None:
    a, b = game.home, game.away
    sa, sb = a.split(" ", 1)[-1], b.split(" ", 1)[-1]
    names = f"{sa}-vs-{sb}".replace(" ", "-").replace("/", "-")
    add, win = book.add, game.winner == 0
    full = f"{game.place}: {a} vs {b}"
    add(full, "", "moneyline", (a, b), win=win)
    if book.event.kind == "doubles":
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
    favourite, other = (sb, sa) if book.r.random() < 0.5 else (sa, sb)
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
            f"match-total-{_pt(line)}",
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
    if book.event.kind != "exhibition":
        add(
            f"Game Spread: {favourite} (-3.5) vs {other} (+3.5)",
            "game-spread-3pt5",
            "tennis_game_handicap",
            (favourite, other),
            -3.5,
        )
    if book.r.random() < 0.3:
        add(f"{sa} vs {sb}: a tiebreak is played?", "tiebreak", book.r.choice(cat.UNKNOWN_TYPES[:2]))
    # Listed while the match is in play.
    second = first_set - book.event.listed_at
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
            f"set-2-total-{_pt(line)}",
            "tennis_set_games_totals",
            ("Over", "Under"),
            line,
            listed_after=second + 600,
        )


def _pt(line: float) -> str:
    return str(line).replace(".", "pt")


def _soccer(book: _Book, game: Game) -> None:
    add, event = book.add, book.event
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
        leader = book.r.randint(0, 2)
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
                f"total-{_pt(line)}",
                "totals",
                ("Over", "Under"),
                line,
                group=f"O/U {line}",
            )
        for side, line in ((0, -1.5), (1, -1.5), (0, -2.5)):
            add(
                f"Spread: {names[side]} ({line})",
                f"spread-{suffixes[side]}-{_pt(-line)}",
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
        for name in book.r.sample(cat.LAST_NAMES, 7):
            add(f"{name}: 1+ goals", f"goals-{ascii_slug(name)}-gte1", "soccer_player_goals", chance=0.2, group=name)


def _points(book: _Book, game: Game) -> None:
    add = book.add
    win = game.winner == 0
    add(f"{game.home} vs. {game.away}", "", "moneyline", (game.home, game.away), win=win)
    for line in (-2.5, -5.5):
        add(f"Spread: {game.home} ({line})", f"spread-home-{_pt(-line)}", "spreads", (game.home, game.away), line)
    for line in (205.5, 211.5):
        add(f"{game.home} vs. {game.away}: O/U {line}", f"total-{_pt(line)}", "totals", ("Over", "Under"), line)
    half = (game.start_at + game.end_at) // 120 * 60
    add(
        f"{game.home} vs. {game.away}: 1H Moneyline",
        "1h-moneyline",
        "first_half_moneyline",
        (game.home, game.away),
        settles_at=half,
    )
    late = (half - book.event.listed_at) // 60 * 60
    add(f"{game.home} vs. {game.away}: overtime?", "overtime", None, chance=0.08, listed_after=late)


def _esports(book: _Book, game: Game) -> None:
    add = book.add
    add(
        f"{game.home} vs {game.away} (BO3)",
        "",
        "moneyline",
        (game.home, game.away),
        win=game.winner == 0,
        group="Match Winner",
    )
    add(
        f"Map Handicap: {game.home} (-1.5) vs {game.away} (+1.5)",
        "map-handicap",
        "map_handicap",
        (game.home, game.away),
        -1.5,
    )
    add(
        f"{game.home} vs {game.away}: O/U 2.5 Games",
        "total-games-2pt5",
        "totals",
        ("Over", "Under"),
        2.5,
        win=len(game.script) > 2,
    )
    length = game.end_at - game.start_at
    for n in (1, 2, 3):
        after = 0 if n == 1 else (game.start_at + length * (n - 1) // 3 - book.event.listed_at) // 60 * 60
        ends = (game.start_at + length * n // 3) // 60 * 60
        add(
            f"{game.home} vs {game.away}: Game {n} Winner",
            f"game{n}",
            "child_moneyline",
            (game.home, game.away),
            group=f"Game {n} Winner",
            listed_after=after,
            settles_at=ends,
        )


def _futures(book: _Book) -> None:
    event, r = book.event, book.r
    if event.kind == "slam":
        source = next(text for text in cat.SLAMS if text[4:].rstrip("?") in event.title)
        champion = r.randrange(10)
        firsts = cat.FIRST_NAMES_W if "Women" in source else cat.FIRST_NAMES
        for n, last in enumerate(r.sample(cat.LAST_NAMES, 12)):
            out = event.listed_at + 86400 * r.randint(20, 58) if n > 9 else None  # knocked out early
            book.add(
                f"Will {r.choice(firsts)} {last} win {source}",
                f"will-{ascii_slug(last)}-win",
                None,
                chance=0.08,
                win=n == champion,
                group=last,
                neg_risk=True,
                settles_at=out,
            )
        book.add(
            f"Will another player win {source}",
            "another-player",
            None,
            chance=0.05,
            win=False,
            group="Other",
            neg_risk=True,
        ).deployed = False
        return
    count = {"season": 9, "politics": r.randint(1, 7), "weather": 9}[event.kind]
    for n in range(count):
        label = cat.LAST_NAMES[(n * 7 + event.id) % len(cat.LAST_NAMES)] if event.kind != "weather" else f"{8 + n}°C"
        market = book.add(
            f"{event.title.rstrip('?')} - {label}?",
            ascii_slug(label) or str(n),
            None,
            chance=round(0.9 / count, 2) or 0.05,
            win=n == 0,
            group=label,
            neg_risk=event.kind == "weather",
        )
        if event.kind == "politics" and n == 6:
            market.deployed = False
