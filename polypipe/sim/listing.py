"""Collects the markets of one event; shared by all sports."""

from polypipe.sim.model import Event, Market, rng


class Listing:
    """The markets of one event, in listing order."""

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
            payout=float(r.random() < chance if win is None else win),
            listed_at=event.listed_at + listed_after,
            settles_at=settles,
            neg_risk=None if r.random() < 0.01 else neg_risk,
        )
        if r.random() < 0.012:
            market.active = False
        self.markets.append(market)
        return market
