"""The game and the sibling events of one generation of a slot. Their markets: `markets.py`.

Everything is a pure function of the seed, the slot and the generation number.
"""

from dataclasses import dataclass
from random import Random

from polypipe.sim import catalog as cat
from polypipe.sim import names
from polypipe.sim.catalog import League
from polypipe.sim.markets import make_markets
from polypipe.sim.model import Event, Game, rng
from polypipe.sim.notation import ascii_slug, day

HOSTILE = (
    "<script>alert('x')</script> ",
    '"Quoted" & <b>bold</b> ',
    "🎾🔥 ’curly’ ",
    "=1+1;DROP TABLE events;-- ",
    "<img src=x onerror=window.__xss=1> ",
)
SOCCER_PARTS = ("", "halftime-result", "exact-score", "more-markets", "player-props")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of slot. `hours` is how long one generation is open, `parts` names its sibling events."""

    name: str
    league: League | None
    hours: int
    parts: tuple[str, ...] = ("",)
    sport: bool = True


KINDS = {
    "atp": Kind("atp", cat.ATP, 48),
    "wta": Kind("wta", cat.WTA, 46),
    "challenger": Kind("challenger", cat.CHALLENGER, 48),
    "doubles": Kind("doubles", cat.ATP, 50),
    "exhibition": Kind("exhibition", cat.EXHIBITION, 42),
    "fl1": Kind("fl1", cat.LIGUE1, 54, SOCCER_PARTS),
    "epl": Kind("epl", cat.EPL, 56, SOCCER_PARTS),
    "lal": Kind("lal", cat.LA_LIGA, 58, SOCCER_PARTS),
    "sea": Kind("sea", cat.SERIE_A, 60, SOCCER_PARTS),
    "nba": Kind("nba", cat.NBA, 64),
    "nhl": Kind("nhl", cat.NHL, 66),
    "mlb": Kind("mlb", cat.MLB, 72),
    "lol": Kind("lol", cat.LOL, 60),
    "cs2": Kind("cs2", cat.CS2, 58),
    "slam": Kind("slam", None, 24 * 60),
    "season": Kind("season", None, 24 * 75),
    "politics": Kind("politics", None, 24 * 40, sport=False),
    "weather": Kind("weather", None, 60, sport=False),
}


def make_game(kind: Kind, r: Random, game_id: int, listed_at: int, closed_at: int) -> Game | None:
    """The game of a generation, ending two to six hours before its events close; None for futures."""
    league = kind.league
    if league is None:
        return None
    end_at = closed_at - 600 * r.randint(12, 36)
    start_at = (end_at - league.minutes * 60) // 300 * 300
    place = ""
    if league.play == "tennis":
        firsts = names.FIRST_NAMES_W if league is cat.WTA else names.FIRST_NAMES
        lasts = r.sample(names.LAST_NAMES, 4)
        if kind.name == "doubles":
            home, away = "/".join(lasts[:2]), "/".join(lasts[2:])
        else:
            home, away = (f"{r.choice(firsts)} {last}" for last in lasts[:2])
        place = r.choice(names.TOURNAMENTS) + (" (Doubles)" if kind.name == "doubles" else "")
    else:
        home, away = r.sample(names.CLUBS[league.prefix], 2)
    winner, script = _script(league.play, r)
    codes = (_code(home, league), _code(away, league))
    clock_off = 3600 * r.randint(10, 15) if league.play == "tennis" and r.random() < 0.15 else 0
    tracked = kind.name != "doubles"
    return Game(game_id, league, home, away, codes, place, start_at, end_at, winner, script, tracked, clock_off)


def _code(name: str, league: League) -> str:
    letters = ascii_slug(name.replace("/", " ").split(" ", 1)[-1] if league.play == "tennis" else name)
    return letters.replace("-", "")[: 7 if league.play == "tennis" else 3]


def _script(play: str, r: Random) -> tuple[int, tuple[tuple[int, int], ...]]:
    """(winner, course of the score): sets, goals as (minute, side), points per period, or maps."""
    if play == "tennis" or play == "esports":
        winner = r.randint(0, 1)
        course = r.choice(([winner, winner], [winner, 1 - winner, winner], [1 - winner, winner, winner]))
        if play == "esports":
            return winner, tuple((1 - side, side) for side in course)
        sets = [r.choice(((6, 1), (6, 3), (6, 4), (7, 5), (7, 6))) for _ in course]
        return winner, tuple(s if side == 0 else (s[1], s[0]) for s, side in zip(sets, course, strict=True))
    if play == "soccer":
        goals = tuple(sorted((r.randint(1, 90), r.randint(0, 1)) for _ in range(r.choice((0, 1, 1, 2, 3, 4)))))
        home = sum(1 for _, side in goals if side == 0)
        away = len(goals) - home
        return (2 if home == away else int(away > home)), goals
    periods = tuple((r.randint(0, 30), r.randint(0, 30)) for _ in range(4))
    home, away = (sum(p[i] for p in periods) for i in (0, 1))
    if home == away:
        periods = (*periods[:3], (periods[3][0] + 1, periods[3][1]))
        home += 1
    return int(away > home), periods


def make_events(
    seed: int, slot: int, kind: Kind, generation: int, first_id: int, listed_at: int, closed_at: int
) -> list[Event]:
    """The sibling events of one generation of a slot; the first is the main one."""
    r = rng(seed, "slot", slot, generation)
    game = make_game(kind, r, 10_000_000 + first_id, listed_at, closed_at)
    title, slug = _title(kind, game, r, closed_at, first_id)
    if slot % 23 == 4:
        title = HOSTILE[(slot // 23) % len(HOSTILE)] + title
    version = "v2" if slot % 24 == 11 else "v1"
    stuck = game is not None and game.tracked and r.random() < 0.08
    events = []
    for n, part in enumerate(kind.parts):
        neg_risk: bool | None = kind.name in ("slam", "weather") or part in ("exact-score", "halftime-result")
        if game is not None and game.league.play == "soccer" and not part:
            neg_risk = True
        if r.random() < 0.21:
            neg_risk = None
        elif r.random() < 0.03:
            neg_risk = not neg_risk  # the flag of the market takes precedence
        events.append(
            Event(
                seed=seed,
                id=first_id + n,
                slug=f"{slug}-{part}" if part else slug,
                title=f"{title} - {part.replace('-', ' ').title()}" if part else title,
                kind=kind.name,
                part=part,
                tags=_tags(kind, slot, title),
                listed_at=listed_at,
                closed_at=closed_at,
                version=version,
                neg_risk=neg_risk,
                league=kind.league,
                game=game,
                parent_id=first_id if part else None,
                stuck_live=stuck,
                build=make_markets,
            )
        )
    return events


def _tags(kind: Kind, slot: int, title: str) -> tuple[int, ...]:
    if kind.league is not None:
        return kind.league.tags
    if kind.name == "slam":  # futures: no games tag; two in three of the men's carry the ATP tag
        if "Women" in title:
            return (cat.TENNIS_TAG, cat.SPORTS_TAG, cat.WTA_TAG)
        return (cat.TENNIS_TAG, cat.SPORTS_TAG, cat.ATP_TAG) if slot % 3 else (cat.TENNIS_TAG, cat.SPORTS_TAG)
    if kind.name == "season":
        return (cat.SPORTS_TAG, cat.SOCCER_TAG) if slot % 2 else (cat.SPORTS_TAG, 745)
    return (2, 100265) if kind.name == "politics" else (84, 103040, 74)


def _title(kind: Kind, game: Game | None, r: Random, closed_at: int, first_id: int) -> tuple[str, str]:
    if game is not None:
        date = day(game.start_at)
        home, away = game.codes
        if game.league.play == "tennis":
            prefix = "atp-doubles" if kind.name == "doubles" else game.league.prefix
            return f"{game.place}: {game.home} vs {game.away}", f"{prefix}-{home}-{away}-{date}-{first_id % 9973}"
        return f"{game.home} vs. {game.away}", f"{game.league.prefix}-{home}-{away}-{date}-{first_id % 9973}"
    if kind.name == "slam":
        question = r.choice(names.SLAMS)
        return f"{question[4:].rstrip('?')} Winner", f"{ascii_slug(question)}-winner-{first_id}"
    if kind.name == "season":
        title = f"{r.choice(('Ligue 1', 'Premier League', 'NBA'))} season awards {r.randint(2027, 2029)}"
    elif kind.name == "politics":
        title = f"Who leads the cabinet of {r.choice(('Norland', 'Estmark', 'Calvia', 'Torrenia'))} on {day(closed_at)}?"
    else:
        title = f"Highest temperature in {r.choice(('Lyon', 'Bergen', 'Porto', 'Graz'))} on {day(closed_at)}?"
    return title, f"{ascii_slug(title)}-{first_id}"
