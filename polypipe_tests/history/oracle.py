"""Copy quality in plain Python from its definitions, to compare the SQL with."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from statistics import NormalDist
from typing import Any

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Snap:
    """The fields of a snapshot that copy quality uses."""

    time: datetime
    ratio: float | None
    value: float | None


def t_within(limit: float, freedom: float) -> float:
    """P(0 < T < limit) of Student's t: the density integrated by Simpson's rule."""
    constant = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
    n = 400
    weights = [1, *(4 if i % 2 else 2 for i in range(1, n)), 1]
    heights = ((1 + (limit * i / n) ** 2 / freedom) ** (-(freedom + 1) / 2) for i in range(n + 1))
    return constant * limit / n / 3 * math.fsum(w * h for w, h in zip(weights, heights, strict=True))


@cache
def t975(freedom: float) -> float:
    """The 97.5 % quantile of Student's t, by bisection."""
    low, high = 1.9, 15.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if t_within(middle, freedom) < 0.475 else (low, middle)
    return low


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def spread(values: Sequence[float]) -> float:
    """Sum of squared distances from the mean."""
    middle = mean(values)
    return math.fsum((value - middle) ** 2 for value in values)


def ratio_at(snaps: Sequence[Snap], t: datetime, setting: float) -> float:
    """The ratio in the hour that ends at `t`: the last one stored in it, else the last of its day, else the last one before
    it if there are later ones, else the first one after it, else the setting."""
    hour = t - HOUR
    midnight = hour.replace(hour=0, minute=0, second=0, microsecond=0)
    for start, length in ((hour, HOUR), (midnight, DAY)):
        stored = [snap for snap in snaps if snap.ratio is not None and start <= snap.time < start + length]
        if stored:
            return max(stored, key=lambda snap: snap.time).ratio or 0.0
    known = sorted((snap.time, snap.ratio) for snap in snaps if snap.ratio is not None)
    if not known or known[-1][0] < hour:
        return setting
    return next((ratio for time, ratio in reversed(known) if time < hour), known[0][1])


def quality(
    copier: Mapping[datetime, float],
    whale: Mapping[datetime, float],
    snaps: Sequence[Snap],
    setting: float,
    day: datetime,
    length_days: int,
) -> dict[str, float | None]:
    """Every number of one row; None where unknown. All points count as hourly."""
    closes = day + DAY
    opens = closes - length_days * DAY
    hours_in_window = 24 * length_days
    ours = {t for t in copier if opens <= t <= closes}
    theirs = {t for t in whale if opens <= t <= closes}
    common = sorted(ours & theirs if ours and theirs else ours | theirs)
    names = "copier_pnl whale_pnl expected_pnl gap capture_up capture_down beta beta_low beta_high beta_to_ratio r2"
    names += " tracking_error gap_t gap_low gap_high up_copier up_expected down_copier down_expected"
    names += " hourly_gap_mean hourly_gap_sd hourly_copier_sd hourly_whale_sd"
    row: dict[str, Any] = dict.fromkeys(names.split())
    inside = [snap for snap in snaps if opens <= snap.time < closes]
    values = [snap.value for snap in inside if snap.value is not None]
    row["capital"] = mean(values) if values else None
    row["recorded_days"] = len({snap.time.date() for snap in inside})
    steps = []
    if ours and theirs:
        for before, after in pairwise(common):
            ratio = ratio_at(snaps, after, setting)
            steps.append(
                (after - before, copier[after] - copier[before], whale[after] - whale[before], ratio, (after - HOUR).date())
            )
    hourly = [step[1:4] for step in steps if step[0] == HOUR]
    dates = [step[4] for step in steps if step[0] == HOUR]
    row["hours_covered"] = len(hourly)
    if len(common) < 2 or (common[-1] - common[0]) / HOUR < 0.9 * hours_in_window or closes - common[-1] > 2 * HOUR:
        return row
    if ours:
        row["copier_pnl"] = copier[common[-1]] - copier[common[0]]
    if theirs:
        row["whale_pnl"] = whale[common[-1]] - whale[common[0]]
        pairs = pairwise(common)
        row["expected_pnl"] = math.fsum(ratio_at(snaps, b, setting) * (whale[b] - whale[a]) for a, b in pairs)
    if not (ours and theirs):
        return row
    row["gap"] = row["copier_pnl"] - row["expected_pnl"]
    if len(hourly) < 0.9 * hours_in_window:
        return row
    guard = max(5.0, 0.001 * (row["capital"] or 0.0))
    for side, sign in (("up", 1), ("down", -1)):
        chosen = [(c, ratio * w) for c, w, ratio in hourly if sign * w > 0]
        if not chosen:
            continue
        actual, expected = (math.fsum(column) for column in zip(*chosen, strict=True))
        row[f"{side}_copier"], row[f"{side}_expected"] = actual, expected
        if abs(expected) >= guard:
            row[f"capture_{side}"] = 100 * actual / expected
    x, y = [w for _, w, _ in hourly], [c for c, _, _ in hourly]
    n = len(hourly)
    if sum(w != 0 for w in x) >= 24 and math.sqrt(spread(x) / (n - 1)) >= 0.01:
        mx, my = mean(x), mean(y)
        together = math.fsum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
        beta = row["beta"] = together / spread(x)
        left = math.fsum((b - my - beta * (a - mx)) ** 2 for a, b in zip(x, y, strict=True))
        days = sorted(set(dates))
        shares = [math.fsum((a - mx) ** 2 for a, date in zip(x, dates, strict=True) if date == one) for one in days]
        effective = math.fsum(shares) ** 2 / math.fsum(v * v for v in shares)
        if len(days) >= 6 and effective >= 3:
            jackknife = []
            for one in days:  # refitted without the day
                rest = [(a, b) for a, b, date in zip(x, y, dates, strict=True) if date != one]
                ma, mb = mean([a for a, _ in rest]), mean([b for _, b in rest])
                jackknife.append(
                    math.fsum((a - ma) * (b - mb) for a, b in rest) / math.fsum((a - ma) ** 2 for a, _ in rest)
                )
            number = len(days)
            off = [mean(jackknife) - slope for slope in jackknife]
            beside = math.fsum(a * b for (a, p), (b, q) in pairwise(zip(off, days, strict=True)) if q - p == DAY)
            variance = (number - 1) / number * (math.fsum(one * one for one in off) + max(beside, 0.0))
            error, quantile = math.sqrt(variance), t975(max(effective - 1, 2.0))
            third = math.fsum((one * (number - 1)) ** 3 for one in off) * number / (number - 1) / (number - 2)
            skew = (1 + 2 * quantile**2) / 6 * third / (number**2 * error**3) if error else 0.0
            row["beta_low"] = beta - error * (quantile + max(0.0, -skew))
            row["beta_high"] = beta + error * (quantile + max(0.0, skew))
        if len({step[3] for step in steps}) == 1:
            row["beta_to_ratio"] = beta / steps[0][3]
        if math.sqrt(spread(y) / (n - 1)) >= 0.01:
            row["r2"] = 1 - left / spread(y)
    if n >= 24:
        gaps = [c - ratio * w for c, w, ratio in hourly]
        deviation = math.sqrt(spread(gaps) / (n - 1))
        row["tracking_error"] = deviation * math.sqrt(24)
        row["hourly_gap_mean"], row["hourly_gap_sd"] = mean(gaps), deviation
        row["hourly_copier_sd"], row["hourly_whale_sd"] = (math.sqrt(spread(series) / (n - 1)) for series in (y, x))
        days = sorted(set(dates))
        if deviation >= 0.01 and len(days) >= 6:
            by_day = [math.fsum(gap for gap, date in zip(gaps, dates, strict=True) if date == one) for one in days]
            own = {one: total - mean(by_day) for one, total in zip(days, by_day, strict=True)}
            variance = math.fsum(value * value for value in own.values())
            variance += max(0.0, math.fsum(own[one] * own.get(one - DAY, 0.0) for one in days))
            freedom = len(days) - 1
            error = math.sqrt(variance / freedom * len(days))
            t = math.fsum(by_day) / error
            row["gap_low"], row["gap_high"] = (row["gap"] + sign * t975(freedom) * error for sign in (-1, 1))
            row["gap_t"] = math.copysign(NormalDist().inv_cdf(0.5 + t_within(min(abs(t), 8.0), freedom)), t)
    return row
