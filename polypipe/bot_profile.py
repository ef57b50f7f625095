"""Profiles of the bots that polypipe serves: the copying rule, log tags and setting names of each public program.

Data and arithmetic only. docs/bot-profiles.md has the sources of these facts and how to add a bot; `bot_detection.py`
chooses the profile and replaces its defaults by what the bot's source and settings say.
"""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, NamedTuple, get_args

Below = Literal["chance", "raised", "skipped"]
"""What the bot does with an order below its minimum: sends the minimum with the probability order / minimum, always sends
the minimum, or sends nothing."""


class UsdTier(NamedTuple):
    """Factor for fills of the whale worth [low, high) USD."""

    low: float
    high: float
    factor: float


@dataclass(frozen=True)
class BotProfile:
    """How one bot copies. Shares and USD a share; times in seconds.

    `ratio` is used while POLYPIPE_SCALING_RATIO is not set; that of the bot's own settings replaces it if `adopts_ratio`.
    Whale fills below `floor_shares` are never copied. An order must be worth `minimum_usd` and have `minimum_shares`;
    `below_minimum` says what happens to smaller ones; no setting of the bot lowers the minimum below `exchange_usd`, which
    the exchange asks for its kind of order. `maximum_usd` caps an order (None: no cap). `tiers` are pairs of a size in
    shares and the factor for purchases of that size or more; `usd_tiers`, in order, are factors for purchases and sales.
    `strategy` is "" for a bot that copies in proportion, else the name of the strategy that does not. `price_buffer` is the
    most that the limit price of a purchase exceeds the whale's price: an order of the minimum in USD has fewer shares then.
    `names` maps the program's settings (constants in its source, or environment variables) to what they set. `tags` are
    regular expressions that only this bot's log matches; `files` (glob patterns) and `words` (in its Rust source) are found
    in its directory only. `contracts` is the constant with the exchange contracts that it listens to.
    """

    name: str
    bot: str
    ratio: float
    floor_shares: float
    minimum_usd: float
    adopts_ratio: bool = True
    minimum_shares: float = 0.0
    exchange_usd: float = 0.0
    below_minimum: Below = "chance"
    maximum_usd: float | None = None
    tiers: tuple[tuple[float, float], ...] = ()
    usd_tiers: tuple[UsdTier, ...] = ()
    strategy: str = ""
    price_buffer: float = 0.01
    rest_in_play: float = 61.0
    rest: float = 1800.0
    sales_expire: bool = False
    names: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    contracts: str = "MONITORED_ADDRESSES in its settings.rs"

    def __str__(self) -> str:
        """The text that `parse_profile` reads back."""
        shown = {name: getattr(self, name) for name in CHANGEABLE} | {"usd_tiers": self.usd_tiers_in_words()}
        return ",".join([self.name, *(f"{name}={'none' if value is None else value}" for name, value in shown.items())])

    def minimum_order(self, price: float) -> float:
        """Shares of the smallest order at a price in USD a share; infinite at a price of 0."""
        return max(self.minimum_usd / price, self.minimum_shares) if price > 0 else float("inf")

    def least_order(self, price: float) -> float:
        """Shares of the smallest order for a purchase of the whale at a price: that of the minimum, with the buffer."""
        return self.minimum_order(price + self.price_buffer)

    def factor(self, side: str, shares: float, price: float) -> float:
        """Factor of an order beyond ratio x the whale's `shares`, by the tiers."""
        reached = [tier for tier in self.tiers if shares >= tier[0]] if side == "BUY" else []
        return (max(reached)[1] if reached else 1.0) * self.usd_factor(shares * price)

    def usd_factor(self, usd: float) -> float:
        """Factor for a fill worth `usd`. As in the bots, one in no tier has the factor of the last."""
        if not self.usd_tiers:
            return 1.0
        return next((tier.factor for tier in self.usd_tiers if tier.low <= usd < tier.high), self.usd_tiers[-1].factor)

    def sizing_note(self, ratio: float) -> str | None:
        """Why numbers that compare with ratio x the whale mislead for this bot; None if its orders are in proportion."""
        if not self.strategy and self.usd_tiers:
            return (
                "the bot's TIERED_MULTIPLIERS change its ratio with the whale's order: expected PnL, gap and coverage "
                f"compare with the ratio {ratio:g}; copies are judged by the tiers"
            )
        if not self.strategy:
            return None
        return (
            f"the bot sizes its orders by COPY_STRATEGY {self.strategy}, which has no constant ratio: expected PnL, gap, "
            f"coverage, and missed and partial copies compare with the ratio {ratio:g}"
        )

    def orderable(self, shares: float, price: float) -> bool:
        """True if that many shares at a price are an order that the bot sends as it is."""
        return shares * price >= self.minimum_usd and shares >= self.minimum_shares

    def tells_ratio(self, shares: float, price: float) -> bool:
        """True if an order is clear enough of the minimum to tell the ratio: one of the minimum tells nothing."""
        return shares * price >= TELLING * self.minimum_usd and shares >= TELLING * self.minimum_shares

    @property
    def lowest_tier(self) -> float:
        """Shares from which purchases are not copied at the plain ratio; infinite without tiers, 0 with `usd_tiers`."""
        return 0.0 if self.usd_tiers else min((size for size, _ in self.tiers), default=float("inf"))

    def longest_rest(self, side: str, live: bool | None) -> float:
        """Longest time that an order may rest on the book. `live`: in play, as the bot's log says; None if unknown."""
        expires = side == "BUY" or self.sales_expire
        return self.rest_in_play if live and expires else self.rest

    @property
    def ratio_setting(self) -> str:
        """The bot's setting that holds its ratio."""
        return next(name for name, target in self.names if target in ("ratio", "percent"))

    def tiers_in_words(self) -> str:
        """`4000:1.25`, several separated by commas, or `none`: as `polypipe whatif` and its API take them."""
        return ",".join(f"{size:g}:{factor:g}" for size, factor in self.tiers) or "none"

    def usd_tiers_in_words(self) -> str:
        """`1-50:1;50+:0.3`, or `none`: as TIERED_MULTIPLIERS of the bot, which separates them by commas."""
        return (
            ";".join(
                f"{low:g}{'+' if math.isinf(high) else f'-{high:g}'}:{factor:g}" for low, high, factor in self.usd_tiers
            )
            or "none"
        )

    def minimum_in_words(self) -> str:
        """`$1.01`, or `$1.01 and 5 shares`."""
        usd = f"${self.minimum_usd:.2f}"
        return f"{usd} and {self.minimum_shares:g} shares" if self.minimum_shares else usd


FIXED = "FIXED"
"""The strategy whose orders have the same USD whatever the whale's size."""

TELLING = 1.1
"""Multiple of the minimum order from which an order tells the ratio."""

_TIERS = ((4000.0, 1.25),)
_FAMILY = (
    ("SCALING_RATIO", "ratio"),
    ("MIN_CASH_VALUE", "minimum_usd"),
    ("MIN_SHARE_COUNT", "minimum_shares"),
    ("MIN_WHALE_SHARES_TO_COPY", "floor_shares"),
    ("USE_PROBABILISTIC_SIZING", "chance"),
)

CLASSIC = BotProfile(
    name="classic",
    bot="the bot of the seven scripts (terauss), and forks that only mend its build",
    ratio=0.08,  # of divergence_server.py; the bot's own constant is 0.02, and doctor compares the two
    adopts_ratio=False,
    floor_shares=10.0,
    minimum_usd=1.01,
    tiers=_TIERS,
    names=_FAMILY,
)
"""The default."""

TRADERS = BotProfile(
    name="traders",
    bot="the fork with traders.json and aggregation (ceesaxp, 2026-02)",
    ratio=0.02,
    floor_shares=10.0,
    minimum_usd=1.01,
    minimum_shares=5.0,
    tiers=_TIERS,
    sales_expire=True,
    names=(*_FAMILY, ("USE_SEPARATE_FUNDER", "funder")),
    tags=("AGG_PENDING", r"AGG_FLUSH\(\d", "AGG_BYPASS ", r"\[CAPPED\]", "SKIPPED_NO_POSITION"),
    files=("traders.json",),
    words=("TradersConfig", "agg_window_ms"),
)

STRATEGIES = BotProfile(
    name="strategies",
    bot="the fork with COPY_STRATEGY (gabagool23, 2026-04)",
    ratio=0.10,
    floor_shares=0.0,
    minimum_usd=1.0,
    exchange_usd=1.0,
    below_minimum="skipped",
    maximum_usd=100.0,
    names=(
        ("COPY_STRATEGY", "strategy"),
        ("COPY_SIZE", "percent"),
        ("TRADE_MULTIPLIER", "multiplier"),
        ("TIERED_MULTIPLIERS", "usd_tiers"),
        ("MIN_ORDER_SIZE_USD", "minimum_usd"),
        ("MAX_ORDER_SIZE_USD", "maximum_usd"),
        ("MIN_WHALE_SHARES_TO_COPY", "floor_shares"),
    ),
    tags=(r"\[PERCENTAGE\(", r"\[FIXED\(", r"\[ADAPTIVE\(", "SKIPPED_BELOW_MIN", "SKIPPED_INVALID_SIZE"),
    words=("COPY_STRATEGY",),
)

SCALED = BotProfile(
    name="scaled",
    bot="the fork with POSITION_SCALE and users/<id> (yesnotrader, 2026-04)",
    ratio=1.0,
    floor_shares=0.0,
    minimum_usd=1.0,
    exchange_usd=1.0,
    tiers=_TIERS,
    names=(
        ("POSITION_SCALE", "ratio"),
        ("MIN_WHALE_SHARES", "floor_shares"),
        ("MIN_TRADE_VALUE_USD", "minimum_usd"),
        ("MIN_SHARES", "minimum_shares"),
        ("ENABLE_PROB_SIZING", "chance"),
    ),
    files=("users/[0-9]*",),
    words=("POSITION_SCALE",),
    contracts="EXCHANGE_ADDRESSES in its src/config/mod.rs",
)

CONSTANTS = frozenset(name for name, _ in _FAMILY)
"""Settings in `names` that are constants of the source; the others are environment variables."""

PROFILES = {profile.name: profile for profile in (CLASSIC, TRADERS, STRATEGIES, SCALED)}

CHANGEABLE = (
    "ratio",
    "floor_shares",
    "minimum_usd",
    "minimum_shares",
    "maximum_usd",
    "below_minimum",
    "strategy",
    "usd_tiers",
)
"""Fields that POLYPIPE_BOT_PROFILE, or the bot's source and settings, may change."""

ALLOWED = f"{', '.join(PROFILES)}, each optionally followed by changes such as ,floor_shares=75,minimum_shares=0"


@dataclass(frozen=True)
class Chosen:
    """What POLYPIPE_BOT_PROFILE says: a profile, and fields that are to differ from it."""

    profile: BotProfile
    changes: tuple[tuple[str, Any], ...] = ()


def parse_profile(text: str) -> Chosen:
    """Read `NAME` or `NAME,field=value,...`. Raises `KeyError` or `ValueError`."""
    name, *parts = (part.strip() for part in text.split(","))
    changes = [part.partition("=")[::2] for part in parts]
    return Chosen(PROFILES[name], tuple((field, _field(field, value.strip())) for field, value in changes))


def changed(profile: BotProfile, named: Mapping[str, str], ratio_too: bool = True) -> BotProfile:
    """The profile with what the bot's own settings say. `named`: setting of the bot -> its text.

    As in the bots themselves, a text that is not a valid value counts as unset.
    """
    fields: dict[str, Any] = {}
    for setting, target in profile.names:
        if not (text := named.get(setting, "").strip()) or target in (*_RATIO, "funder"):
            continue
        if target == "chance":
            fields["below_minimum"] = "chance" if text.lower() in ("true", "1") else "raised"
        elif target == "strategy":
            fields["strategy"] = "" if text.upper() == "PERCENTAGE" else text.upper()
        else:
            with suppress(ValueError):
                fields[target] = _field(target, text)
    if "minimum_usd" in fields:
        fields["minimum_usd"] = max(fields["minimum_usd"], profile.exchange_usd)
    if ratio_too and profile.adopts_ratio and (ratio := ratio_of(profile, named)) is not None:
        fields["ratio"] = ratio
    return replace(profile, **fields)


_RATIO = {"ratio": 1.0, "percent": 100.0, "multiplier": 1.0}


def ratio_of(profile: BotProfile, named: Mapping[str, str]) -> float | None:
    """The ratio that the bot's own settings give; None if none of them is in `named`, or the amount is fixed in USD."""
    found: dict[str, float] = {}
    if any(target == "strategy" and named.get(setting, "").strip().upper() == FIXED for setting, target in profile.names):
        return None
    for setting, target in profile.names:
        if target in _RATIO:
            with suppress(ValueError):
                found[target] = _number(named.get(setting, ""), above=True) / _RATIO[target]
    if not found:
        return None
    if changed(profile, {name: text for name, text in named.items() if name == "TIERED_MULTIPLIERS"}, False).usd_tiers:
        found["multiplier"] = 1.0  # the tiers replace it
    return found.get("ratio", found.get("percent", profile.ratio)) * found.get("multiplier", 1.0)


def _field(name: str, text: str) -> Any:
    if name not in CHANGEABLE:
        raise ValueError
    if name == "strategy":
        return text
    if name == "usd_tiers":
        return _usd_tiers(text)
    if name == "below_minimum":
        if text not in get_args(Below):
            raise ValueError
        return text
    if name == "maximum_usd" and text == "none":
        return None
    return _number(text, above=name in ("ratio", "maximum_usd"))


def _number(text: str, above: bool) -> float:
    value = float(text)
    if not math.isfinite(value) or value < 0 or (above and value == 0):
        raise ValueError
    return value


def _usd_tiers(text: str) -> tuple[UsdTier, ...]:
    """Read `1-50:1,50+:0.3`. Raises `ValueError`, also for tiers that overlap, as the bot does."""
    found = []
    for part in [] if text == "none" else text.replace(";", ",").split(","):
        span, _, factor = part.strip().partition(":")
        low, dash, high = span.partition("-")
        if not dash and not span.endswith("+"):
            raise ValueError
        above = _number(high, above=True) if dash else math.inf
        found.append(UsdTier(_number(low.removesuffix("+"), above=False), above, _number(factor, above=False)))
    found.sort()
    if any(one.high > later.low for one, later in pairwise(found)) or any(tier.high <= tier.low for tier in found):
        raise ValueError
    return tuple(found)
