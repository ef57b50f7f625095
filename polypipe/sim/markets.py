"""The markets of an event by sport: wording, type, line, outcomes, listing and settlement times.

Wordings and types follow those of the real exchange; names do not.
"""

from polypipe.sim import names
from polypipe.sim.listing import Listing
from polypipe.sim.markets_soccer import soccer
from polypipe.sim.markets_tennis import tennis
from polypipe.sim.model import Event, Game, Market
from polypipe.sim.notation import ascii_slug, pt


def make_markets(event: Event) -> list[Market]:
    """All markets that the event ever lists, by its kind and part."""
    listing = Listing(event)
    game = event.game
    if game is None:
        _futures(listing)
    elif game.league.play == "tennis":
        tennis(listing, game)
    elif game.league.play == "soccer":
        soccer(listing, game)
    elif game.league.play == "points":
        _points(listing, game)
    else:
        _esports(listing, game)
    return listing.markets


def _points(listing: Listing, game: Game) -> None:
    add = listing.add
    win = game.winner == 0
    add(f"{game.home} vs. {game.away}", "", "moneyline", (game.home, game.away), win=win)
    for line in (-2.5, -5.5):
        add(f"Spread: {game.home} ({line})", f"spread-home-{pt(-line)}", "spreads", (game.home, game.away), line)
    for line in (205.5, 211.5):
        add(f"{game.home} vs. {game.away}: O/U {line}", f"total-{pt(line)}", "totals", ("Over", "Under"), line)
    half = (game.start_at + game.end_at) // 120 * 60
    add(
        f"{game.home} vs. {game.away}: 1H Moneyline",
        "1h-moneyline",
        "first_half_moneyline",
        (game.home, game.away),
        settles_at=half,
    )
    late = (half - listing.event.listed_at) // 60 * 60
    add(f"{game.home} vs. {game.away}: overtime?", "overtime", None, chance=0.08, listed_after=late)


def _esports(listing: Listing, game: Game) -> None:
    add = listing.add
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
        after = 0 if n == 1 else (game.start_at + length * (n - 1) // 3 - listing.event.listed_at) // 60 * 60
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


def _futures(listing: Listing) -> None:
    event, r = listing.event, listing.r
    if event.kind == "slam":
        source = next(text for text in names.SLAMS if text[4:].rstrip("?") in event.title)
        champion = r.randrange(10)
        firsts = names.FIRST_NAMES_W if "Women" in source else names.FIRST_NAMES
        for n, last in enumerate(r.sample(names.LAST_NAMES, 12)):
            out = event.listed_at + 86400 * r.randint(20, 58) if n > 9 else None  # knocked out early
            listing.add(
                f"Will {r.choice(firsts)} {last} win {source}",
                f"will-{ascii_slug(last)}-win",
                None,
                chance=0.08,
                win=n == champion,
                group=last,
                neg_risk=True,
                settles_at=out,
            )
        listing.add(
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
        label = names.LAST_NAMES[(n * 7 + event.id) % len(names.LAST_NAMES)] if event.kind != "weather" else f"{8 + n}°C"
        market = listing.add(
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
