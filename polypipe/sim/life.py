"""What changes with the simulated clock: the phase and score of a game, the price of a market.

Pure functions of a record and an instant, so they work for any instant, past or future. Prices change every minute in
play and every ten minutes otherwise, so that unchanged pages can be served from a cache.
"""

import math
from dataclasses import dataclass

from polypipe.sim.model import Event, Game, Market, rng


@dataclass(frozen=True, slots=True)
class State:
    """Live state of an event. Keys that are None are left out of the JSON."""

    phase: str  # "pre", "live", "ended", or "none" if the event is not a tracked game
    live: bool | None = None
    ended: bool | None = None
    score: str | None = None
    period: str | None = None
    elapsed: str | None = None


NOT_TRACKED = State("none")
ABSENT_BEFORE_START = State("pre")
LISTED_BEFORE_START = State("pre", live=False, ended=False, period="NS")


def state(event: Event, now: float) -> State:
    """The live state of an event at an instant."""
    game = event.game
    if game is None or not game.tracked:
        return NOT_TRACKED
    if now < game.start_at:
        return LISTED_BEFORE_START if event.id % 3 == 0 else ABSENT_BEFORE_START
    score, period, elapsed = _score(game, now)
    if now < game.end_at:
        return State("live", True, False, score, period, elapsed)
    # A stuck game stays `live` for ever but is also `ended`, which is the flag to trust.
    return State("ended", event.stuck_live, True, score, period, None)


def version(event: Event, now: float) -> int:
    """A number that changes when the event's JSON may: every minute from the start of its game, else every ten.

    Every second if its prices are set by a script.
    """
    if event.scripted:
        return int(now)
    if event.game is not None and now >= event.game.start_at:
        return int(now // 60)
    return -1 - int(now // 600)


def _score(game: Game, now: float) -> tuple[str, str, str | None]:
    """(score, period, clock) in the notation of the sport."""
    share = min(1.0, (now - game.start_at) / (game.end_at - game.start_at))
    over = share >= 1.0
    if game.league.play == "soccer":
        minute = int(share * 112)
        played = 90 if over else min(45, minute) if minute < 60 else min(90, minute - 15)
        home = sum(1 for at, side in game.script if at <= played and side == 0)
        away = sum(1 for at, side in game.script if at <= played and side == 1)
        period = "FT" if over else "1H" if minute < 46 else "HT" if minute < 60 else "2H"
        return f"{home}-{away}", period, None if over else str(played)
    if game.league.play == "points":
        done = 4 if over else int(share * 4)
        home, away = (sum(p[i] for p in game.script[:done]) for i in (0, 1))
        return (
            f"{home}-{away}",
            "VFT" if over else f"Q{done + 1}",
            None if over else f"{12 - int(share * 48) % 12:02d}:00",
        )
    parts = len(game.script)
    done = parts if over else int(share * parts)
    if game.league.play == "esports":
        won = [sum(m[i] for m in game.script[:done]) for i in (0, 1)]
        return f"000-000|{won[0]}-{won[1]}|Bo3", f"{min(done + 1, parts)}/3", None
    sets = [f"{a}-{b}" for a, b in game.script[:done]]
    if not over:
        a, b = game.script[done]
        inside = share * parts - done
        sets.append(f"{int(a * inside)}-{int(b * inside)}")
    return ", ".join(sets), f"S{min(done + 1, parts)}", None


def price(market: Market, now: float) -> float:
    """Mid price of outcome 0 in USDC per share, strictly between 0 and 1; the payout once settled.

    The script's price if it sets one. Else a sum of slow and fast waves around the chance at listing; in play it
    converges to the result.
    """
    if now >= market.settles_at:
        return market.payout
    if market.path:
        return next((p for at, p in reversed(market.path) if at <= now), market.path[0][1])
    game = market.event.game
    in_play = game is not None and now >= game.start_at
    t = now // 60 * 60 if in_play else now // 600 * 600
    if not market.waves:
        r = rng(market.event.seed, "waves", market.id)
        market.waves = tuple(r.uniform(0, 2 * math.pi) for _ in range(3))
    x = math.log(market.chance / (1 - market.chance))
    for phase, period, height in zip(market.waves, (410_000, 47_000, 5_300), (0.35, 0.14, 0.05), strict=True):
        x += height * math.sin(2 * math.pi * t / period + phase)
    if in_play and game is not None:
        share = (t - game.start_at) / max(60, market.settles_at - game.start_at)
        x += (8 * market.payout - 4) * max(0.0, share) ** 2
    tick = market.tick
    bid = math.floor(1 / (1 + math.exp(-x)) / tick) * tick
    return round(min(max(bid + tick / 2, tick / 2), 1 - tick / 2), 4)


def outcome_price(market: Market, outcome: int, now: float) -> float:
    """Mid price of one outcome; the two sum to 1."""
    first = price(market, now)
    return first if outcome == 0 else round(1 - first, 4)
