"""JSON of events, tags and sports as Gamma serves them. Markets: `render_market.py`.

Key names, types, absent keys and numbers served as strings follow recorded responses. Numbers that nothing else depends
on (volumes, liquidity, comment counts) are derived from the id of the row.
"""

from functools import lru_cache

from polypipe.sim import catalog as cat
from polypipe.sim.life import State, state
from polypipe.sim.model import Event, Game, digest, rng
from polypipe.sim.notation import UPLOADS, Json, day, iso, iso_fraction, number, rules


def event_volume(event: Event, now: float) -> float:
    """Volume in USDC since listing; grows with time."""
    base = int(digest(event.seed, "volume", event.id)[:6], 16) / 16
    return round(base * (1 + max(0.0, now - event.listed_at) // 600 / 500), 6)


def tag_row(tag_id: int) -> Json:
    """A tag, as nested in events and as listed by `/tags`."""
    label, slug = cat.TAGS[tag_id]
    row: Json = {
        "id": str(tag_id),
        "label": label,
        "slug": slug,
        "forceShow": False,
        "createdAt": "2024-04-02T19:11:32.120581Z",
        "updatedAt": "2026-09-17T20:23:34.251722Z",
        "requiresTranslation": False,
    }
    if tag_id < 1000:
        row |= {"publishedAt": "2023-10-24 22:37:50.296+00", "updatedBy": 15}
    if tag_id == cat.SPORTS_TAG:
        row["forceHide"] = True
    return row


def sport_row(league: cat.League) -> Json:
    """A league, as nested in events and as listed by `/sports`. `tags` and `series` are comma-separated."""
    return {
        "id": league.sport_id,
        "sport": league.series_slug if league is cat.CHALLENGER else league.prefix,
        "name": league.name,
        "image": f"{UPLOADS}league-icons/{league.prefix}.png",
        "resolution": league.resolution,
        "ordering": "home" if league.play == "soccer" else "away",
        "tags": ",".join(map(str, sorted(league.tags))),
        "primaryTagId": league.tags[-1] if league.play == "soccer" else league.tags[0],
        "series": str(league.series_id),
        "createdAt": "2025-11-05T19:27:45.399303Z",
    }


@lru_cache(maxsize=64)
def _series(league: cat.League) -> list[Json]:
    return [
        {
            "id": str(league.series_id),
            "ticker": league.series_slug,
            "slug": league.series_slug,
            "title": league.name,
            "seriesType": "single",
            "recurrence": "daily",
            "image": f"{UPLOADS}league-icons/{league.prefix}.png",
            "icon": f"{UPLOADS}league-icons/{league.prefix}.png",
            "layout": "default",
            "active": True,
            "closed": False,
            "archived": False,
            "featured": False,
            "restricted": True,
            "createdAt": "2025-03-26T22:29:38.024221Z",
            "updatedAt": "2026-10-08T07:45:17.567512Z",
            "commentsEnabled": False,
            "competitive": "0",
            "volume24hr": 4792.188703,
            "volume": 17469.04384,
            "liquidity": 1723064.80713,
            "commentCount": 0,
            "requiresTranslation": False,
        }
    ]


def _teams(game: Game) -> list[Json]:
    rows = []
    for n, (name, code) in enumerate(zip((game.home, game.away), game.codes, strict=True)):
        rows.append(
            {
                "id": 100_000 + int(digest("team", name)[:5], 16),
                "name": name,
                "league": game.league.prefix,
                "record": f"{game.id % 7}-{game.id % 5}",
                "logo": f"{UPLOADS}team_logos/{game.league.prefix}/{code}.png",
                "abbreviation": code,
                "createdAt": "2025-03-31T18:20:34.051129Z",
                "updatedAt": "2026-05-21T18:31:44.288138Z",
                "providerId": game.id % 9000 + n,
                "color": f"#{digest('color', name)[:6]}",
                "ordering": None if game.league.play == "tennis" else ("home", "away")[n],
            }
        )
    return rows


def _live(row: Json, event: Event, now: float) -> None:
    s: State = state(event, now)
    for key in ("live", "ended", "score", "period", "elapsed"):
        value = getattr(s, key)
        if value is not None:
            row[key] = value
    if s.phase == "ended" and event.game is not None:
        row["finishedTimestamp"] = iso_fraction(event.game.end_at, event.id)


def event_row(event: Event, now: float) -> Json:
    """One event without its `markets`."""
    r = rng(event.seed, "event", event.id)
    game, league = event.game, event.league
    closed = now >= event.closed_at
    end = game.start_at + 7 * 86400 if game else event.closed_at
    if event.kind in ("politics", "weather") and event.id % 14 == 0:
        end = event.listed_at + 86400  # zombies: open long after their end date
    image = f"{UPLOADS}league-icons/{event.kind}.png"
    volume = event_volume(event, now)
    row: Json = {
        "id": str(event.id),
        "ticker": event.slug,
        "slug": event.slug,
        "title": event.title,
        "description": rules(event.title, day(end), league.resolution if league else "the public record"),
        "resolutionSource": league.resolution if league else "",
        "startDate": iso(event.listed_at),
        "creationDate": iso(event.listed_at),
        "endDate": iso(end),
        "image": image,
        "icon": image,
        "active": True,
        "closed": closed,
        "archived": False,
        "new": False,
        "featured": False,
        "restricted": True,
        "createdAt": iso_fraction(event.listed_at - 60, event.id),
        "updatedAt": iso_fraction(int(min(now, event.closed_at)) // 600 * 600, event.id),
        "enableOrderBook": True,
        "commentCount": r.randint(0, 40),
        "tags": [tag_row(t) for t in event.tags],
        "cyom": False,
        "showAllOutcomes": True,
        "showMarketImages": False,
        "enableNegRisk": bool(event.neg_risk),
        "automaticallyActive": True,
        "negRiskAugmented": False,
        "pendingDeployment": False,
        "deploying": False,
        "requiresTranslation": False,
        "eventMetadata": {
            "context_description": cat.CONTEXT.format(subject=event.title),
            "context_requires_regen": False,
            "context_updated_at": iso_fraction(event.listed_at, event.id + 1),
        },
    }
    if event.neg_risk is not None:
        row["negRisk"] = event.neg_risk
        if event.neg_risk:
            row["negRiskMarketID"] = f"0x{digest(event.seed, 'group', event.id)[:62]}00"
    if r.random() < 0.95:
        row |= {"volume": volume, "openInterest": round(volume * 0.3, 6)}
        if r.random() < 0.92:
            row |= {"volume24hr": number(volume // 20), "volume1wk": volume, "volume1mo": volume, "volume1yr": volume}
        if not closed:
            liquidity = round(volume * 0.11 + 50, 5)
            row |= {"liquidity": liquidity, "liquidityClob": liquidity, "competitive": round(r.uniform(0.5, 1), 12)}
    if closed:
        row["closedTime"] = iso(event.closed_at)
    if league is not None and game is not None:
        row |= {
            "eventDate": day(game.start_at),
            "startTime": iso(game.start_at),
            "seriesSlug": league.series_slug,
            "series": _series(league),
            "gameId": game.id,
            "teams": _teams(game),
            "sport": sport_row(league),
        }
        if event.parent_id is not None:
            row["parentEventId"] = event.parent_id
        if event.id % 2 == 0:
            row["eventWeek"] = game.start_at // 604800 % 52 + 1
    if event.version == "v2" or event.id % 4:
        row["version"] = event.version
    _live(row, event, now)
    return row
