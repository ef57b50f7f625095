"""The markets of a script: events with prices that are set, instead of random ones."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from polypipe.sim.catalog import SPORTS_TAG
from polypipe.sim.model import Event, Market
from polypipe.sim.notation import ascii_slug
from polypipe.sim.wallets import DAY, FIRST_DAY

Time = datetime | float
Path = float | Sequence[tuple[Time, float]]
_FIRST_EVENT_ID = 1_500_000_000
_FAR = 3650 * DAY


def seconds(at: Time) -> int:
    """Whole epoch seconds of an instant."""
    return int(at.timestamp() if isinstance(at, datetime) else at)


class ScriptedMarkets:
    """Markets to play, in the order in which they were added."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def market(self, question: str, prices: Path = 0.5, **options: object) -> Market:
        """A market of its own event, outcomes Yes and No; the options are those of `event`."""
        return self.event(question, {question: prices}, neg_risk=False, **options)[0]  # type: ignore[arg-type]

    def event(
        self,
        title: str,
        prices: Mapping[str, Path],
        *,
        settles_at: Time | None = None,
        winner: str | None = None,
        payout: float | None = None,
        listed_at: Time | None = None,
        neg_risk: bool = True,
        fee_rate: float = 0.05,
    ) -> list[Market]:
        """An event with one market for each name in `prices`, neg-risk by default.

        Prices of YES are a constant or steps (from when, price); the first also holds before. The market settles at
        `settles_at`, by default ten years after the first step. `payout` is what a share of YES pays then, by default 1 for
        the `winner` and 0 for the others; an event with one market needs no winner and pays 1. `fee_rate` is that of
        `feeSchedule`.
        """
        steps = {name: _steps(path) for name, path in prices.items()}
        first = min((path[0][0] for path in steps.values() if path[0][0]), default=FIRST_DAY * DAY)
        settles = seconds(settles_at) if settles_at is not None else first + _FAR
        listed = seconds(listed_at) if listed_at is not None else min(first, settles) - DAY
        if winner is None and payout is None:
            winner = next(iter(prices)) if len(prices) == 1 else None
            if winner is None and settles_at is not None:
                raise ValueError("an event with several markets settles with exactly one winner")
        if winner is not None and winner not in prices:
            raise ValueError(f"unknown winner {winner!r}; choose from {', '.join(prices)}")
        number = len(self.events)
        markets: list[Market] = []
        event = Event(
            seed=0,
            id=_FIRST_EVENT_ID + number,
            slug=f"{ascii_slug(title)}-{number}",
            title=title,
            kind="season",
            part="",
            tags=(SPORTS_TAG,),
            listed_at=listed,
            closed_at=settles + 3600,
            version="v1",
            neg_risk=neg_risk,
            league=None,
            game=None,
            parent_id=None,
            stuck_live=False,
            build=lambda _: markets,
            scripted=True,
        )
        for name, path in steps.items():
            markets.append(
                Market(
                    event=event,
                    index=len(markets),
                    question=title if len(steps) == 1 else f"{title} - {name}",
                    slug=event.slug if len(steps) == 1 else f"{event.slug}-{ascii_slug(name)}",
                    type=None,
                    line=None,
                    outcomes=("Yes", "No"),
                    group_title=name if len(steps) > 1 else "",
                    chance=path[0][1],
                    payout=float(name == winner) if payout is None else payout,
                    listed_at=listed,
                    settles_at=settles,
                    neg_risk=neg_risk,
                    path=path,
                    fee_rate=fee_rate,
                )
            )
        self.events.append(event)
        return markets


def _steps(path: Path) -> tuple[tuple[int, float], ...]:
    if isinstance(path, int | float):
        return ((0, float(path)),)
    return tuple(sorted((seconds(at), p) for at, p in path))
