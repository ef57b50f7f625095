"""Combos (parlays): several legs in one position, traded by request for quote and not on the book.

A combo has two outcomes like a market. A share of YES pays one USDC if every leg wins, a share of NO if any loses.
"""

import math
from dataclasses import dataclass

from polypipe.sim.life import outcome_price
from polypipe.sim.model import Market, digest, token


@dataclass(frozen=True, slots=True)
class Combo:
    """A combo of (market, outcome) legs. Equal legs make the same combo."""

    legs: tuple[tuple[Market, int], ...]

    @property
    def _key(self) -> str:
        return " ".join(market.token(outcome) for market, outcome in self.legs)

    @property
    def condition_id(self) -> str:
        """31 bytes as hex, as on protocol v2."""
        return f"0x03{digest('combo', self._key)[:60]}"

    @property
    def title(self) -> str:
        return " + ".join(f"{m.question} {m.outcomes[outcome]}" for m, outcome in self.legs)

    def token(self, outcome: int) -> str:
        """The position id of YES (0) or NO (1)."""
        return token("combo", self._key, outcome)

    def price(self, outcome: int, now: float) -> float:
        """Mid price of an outcome, legs taken as independent; exact once the combo is decided."""
        yes = round(math.prod(outcome_price(m, o, now) for m, o in self.legs), 4)
        return yes if outcome == 0 else round(1 - yes, 4)

    @property
    def resolves_at(self) -> int:
        """When the combo is decided: with the first leg that loses, else with the last leg."""
        lost = [m.settles_at for m, outcome in self.legs if m.pays(outcome) == 0]
        return min(lost) if lost else max(m.settles_at for m, _ in self.legs)

    def status(self, outcome: int, now: float) -> str:
        """OPEN, PARTIAL once a leg is settled, RESOLVED_WIN or RESOLVED_LOSS."""
        if now >= self.resolves_at:
            return "RESOLVED_WIN" if self.price(outcome, now) > 0 else "RESOLVED_LOSS"
        return "PARTIAL" if any(now >= m.settles_at for m, _ in self.legs) else "OPEN"
