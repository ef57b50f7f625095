"""Huge wallets: a whale with a million fills in a year and 20,000 positions, a copier with 400,000 fills.

The whale has 2,772 fills a day, 600 of them in one minute four times a day; the copier copies two of five, 4 s later. The
exchange is a process of its own and makes rows on demand from their index. Each step runs in a process of its own, as
Dagster's runs do; CPU and peak memory are those of the whole process, imports included:

- `history`, `attribution`: the two jobs over the last 30 days, as after the first start; then over all older days like a
  backfill, in runs of 30 days.
- `one day`: both jobs of a usual night: yesterday and the three days that are read again.
- `positions, first`: a comparison of both wallets with its 400 traces of positions that only the copier holds. It is
  repeated until all are traced; `positions` is the next one.
- `tick`: a snapshot and a tick of the alerts, which run every minute.

The usual steps run with 120 days stored, which is the baseline, and with the whole year. Attribution looks back 90 days, so
with fewer days it would have less to do.

    .venv/bin/python bench/wallets.py [--days 365] [--share 1.0]

`--share 0.1` makes a tenth of the markets and fills. Exits 1 if a target is missed: at most 600 MB in any process, at most
the third of the published rate limits that polypipe allows itself, and no step but the backfill that takes more than 1.5
times the CPU, memory or requests of its baseline.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

WHALE, COPIER = "0x" + "57" * 20, "0x" + "c0" * 20
RATIO, DELAY = 0.08, 4
DAY = 86_400
MARKETS_A_DAY, BUYS, SELLS = 66, 34, 8
"""Each market is traded for one day, in `BUYS` purchases and then `SELLS` sales."""

OPEN_DAYS = 150
"""Markets of earlier days are decided and were never redeemed."""

BURSTS, BURST, PER_SECOND = 4, 600, 10
CHUNK_DAYS, REREAD_DAYS, BASE_DAYS = 30, 4, 120
MEMORY_MB, GROWTH, RATE_SHARE = 600.0, 1.5, 0.35
LIMITS = {"/activity": 1000, "/positions": 150, "/user-pnl": 200, "/prices-history": 1000, "/batch-prices-history": 333}
"""Published limits, requests in 10 s; /activity has that of the whole host, and the batch a third of /prices-history."""


@dataclass(frozen=True)
class Fill:
    """Fill number `i` of the whale: its market, place among the market's fills, and time."""

    i: int
    market: int
    n: int
    t: int


class Wallets:
    """The rows of both wallets by index. `share` scales the markets, and with them the fills, of a day."""

    def __init__(self, first_day: int, share: float) -> None:
        self.first_day = first_day
        self.markets_a_day = max(round(MARKETS_A_DAY * share) // 5 * 5 + 1, 6)  # 1 more than a multiple of 5 spreads copies
        self.per_day = self.markets_a_day * (BUYS + SELLS)
        self.quarter = self.per_day // BURSTS
        self.burst = min(BURST, self.quarter * 7 // 8)

    def fill(self, i: int) -> Fill:
        day, k = divmod(i, self.per_day)
        n, column = divmod(k, self.markets_a_day)
        return Fill(i, day * self.markets_a_day + column, n, self.time(i))

    def time(self, i: int) -> int:
        day, k = divmod(i, self.per_day)
        part, r = divmod(k, self.quarter)
        begin = self.first_day + day * DAY + min(part, BURSTS - 1) * (DAY // BURSTS) + 3600
        if part >= BURSTS:  # what the division left over
            return begin + DAY // BURSTS - 3700 + r
        if r < self.burst:
            return begin + r // PER_SECOND
        return begin + 60 + (r - self.burst) * (DAY // BURSTS - 3800) // max(self.quarter - self.burst, 1)

    def before(self, wallet: str, t: float) -> int:
        """Number of fills of a wallet until `t`, included."""
        if wallet == WHALE:
            return bisect_left(range(1 << 24), True, key=lambda i: self.time(i) > t)
        return bisect_left(range(1 << 24), True, key=lambda c: self.time(self.copied(c)) + DELAY > t)

    @staticmethod
    def copied(c: int) -> int:
        """Number of the whale's fill that the copier's fill `c` copies."""
        return c // 2 * 5 + c % 2

    def shares(self, fill: Fill) -> tuple[str, float]:
        size = 50.0 + fill.market % 200
        if fill.n < BUYS:
            return "BUY", size
        return "SELL", size * BUYS / SELLS if self.left(fill.market) else size / 2

    @staticmethod
    def left(market: int) -> bool:
        """True if the whale sells everything."""
        return market % 7 == 0

    def activity(self, wallet: str, number: int) -> dict[str, Any]:
        fill = self.fill(number if wallet == WHALE else self.copied(number))
        side, size = self.shares(fill)
        price, t = round(0.3 + fill.i % 40 / 100, 2), fill.t
        if wallet == COPIER:
            size, price, t = size * RATIO / (1 if side == "BUY" else 2), price + 0.01, t + DELAY
        yes, transaction = names(fill.market), fill.i * 3 + (wallet == WHALE)
        return {
            "proxyWallet": wallet, "timestamp": t, "conditionId": yes.condition, "type": "TRADE", "size": size,
            "usdcSize": round(size * price, 6), "transactionHash": f"0x{transaction * PRIME % 2**256:064x}",
            "price": round(price, 2), "asset": yes.token, "side": side, "outcomeIndex": 0, "title": yes.title,
            "slug": yes.slug, "icon": "https://example.org/an-image-of-the-usual-length.png", "eventSlug": yes.slug,
            "outcome": "Yes", "name": "wallet", "pseudonym": "Quiet-Harbour", "bio": "", "profileImage": "",
            "profileImageOptimized": "",
        }  # fmt: skip

    def activities(self, wallet: str, until: float, market: str | None, limit: int, offset: int) -> list[dict[str, Any]]:
        """The newest rows until `until`, newest first."""
        if market is not None:
            found = number_of(market)
            day, column = divmod(found, self.markets_a_day)
            numbers = [day * self.per_day + n * self.markets_a_day + column for n in reversed(range(BUYS + SELLS))]
            assert wallet == WHALE
            return [self.activity(wallet, i) for i in numbers if self.time(i) <= until][offset : offset + limit]
        newest = self.before(wallet, until) - 1 - offset
        return [self.activity(wallet, i) for i in range(newest, max(newest - limit, -1), -1)]

    def positions(self, wallet: str, now: float, redeemable: bool, limit: int, offset: int) -> list[dict[str, Any]]:
        """Rows by title; the open ones, or those of decided markets."""
        today = int(now - self.first_day) // DAY
        border, traded = (max(today - days, 0) * self.markets_a_day for days in (OPEN_DAYS, 0))
        whole = range(border) if redeemable else range(border, traded)
        held = [m for m in whole if wallet == COPIER or not self.left(m)]
        if not redeemable:  # positions in today's markets depend on the time of day
            held += [m for m in range(traded, traded + self.markets_a_day) if self.held(wallet, m, now) > 0.1]
        return [self.position(wallet, m, now, redeemable) for m in held[offset : offset + limit]]

    def held(self, wallet: str, market: int, now: float) -> float:
        """Shares held at `now`."""
        size = 0.0
        day, column = divmod(market, self.markets_a_day)
        for n in range(BUYS + SELLS):
            fill = self.fill(day * self.per_day + n * self.markets_a_day + column)
            if fill.t <= now and (wallet == WHALE or fill.i % 5 < 2):
                side, shares = self.shares(fill)
                size += shares if side == "BUY" else -shares if wallet == WHALE else -shares / 2
        return size * (1 if wallet == WHALE else RATIO)

    def position(self, wallet: str, market: int, now: float, redeemable: bool) -> dict[str, Any]:
        size = self.held(wallet, market, now)
        yes, price = names(market), (float(market % 3 == 0) if redeemable else 0.55)
        return {
            "proxyWallet": wallet, "asset": yes.token, "conditionId": yes.condition, "size": round(size, 6),
            "avgPrice": 0.5, "initialValue": size * 0.5, "currentValue": size * price, "cashPnl": size * (price - 0.5),
            "percentPnl": 0.0, "totalBought": size, "realizedPnl": 0.0, "percentRealizedPnl": 0.0, "curPrice": price,
            "redeemable": redeemable, "mergeable": False, "title": yes.title, "slug": yes.slug, "icon": "",
            "eventId": str(market), "eventSlug": yes.slug, "outcome": "Yes", "outcomeIndex": 0, "oppositeOutcome": "No",
            "oppositeAsset": names(market, 1).token, "endDate": "2027-12-31", "negativeRisk": False,
        }  # fmt: skip


PRIME = 0x9E3779B97F4A7C15F39CC0605CEDC8341082276BF3A27251F86C6A11D0C18E95


@dataclass(frozen=True)
class Names:
    """Ids and texts of one outcome of a market."""

    condition: str
    token: str
    title: str
    slug: str


@lru_cache(maxsize=5000)
def names(market: int, outcome: int = 0) -> Names:
    """The condition id contains the market's number, so that the exchange needs no index."""
    token = 10**76 + (2 * market + outcome + 1) * PRIME % 10**76
    return Names(
        f"0x{market:08x}{market * PRIME % 2**224:056x}", str(token), f"Game {market:06d}: home or away?", f"game-{market}"
    )


def number_of(condition: str) -> int:
    return int(condition[2:10], 16)


def pnl_points(wallet: str, interval: str, fidelity: str, now: float) -> list[dict[str, float]]:
    hours = {"6h": 6, "12h": 12, "1d": 24, "1w": 168, "1m": 720, "all": 24 * 400}[interval]
    step = {"1h": 1, "3h": 3, "12h": 12, "1d": 24}[fidelity] * 3600
    last = int(now) // step * step
    scale = 1.0 if wallet == WHALE else RATIO * 0.9
    return [
        {"t": t, "p": round(scale * (t - now + 400 * DAY) / 36 + scale * (t // 3600 % 24) * 500, 2)}
        for t in range(last - (hours * 3600 // step - 1) * step, last + 1, step)
    ]


def serve(first_day: int, share: float, pipe: Connection) -> None:
    """In the exchange's process: send its URL, then serve, counting requests."""
    import socket

    import msgspec
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    wallets, seen = Wallets(first_day, share), []

    def answer(rows: Any) -> Response:
        return Response(msgspec.json.encode(rows), media_type="application/json")

    def noted(path: str, rows: Any) -> Route:
        async def handle(request: Request) -> Response:
            seen.append((path, time.time()))
            return answer(rows(request.query_params))

        return Route(path, handle)

    def activity(q: Any) -> Any:
        if "type" in q:
            return []
        until = min(float(q.get("end", time.time())), time.time())
        return wallets.activities(q["user"], until, q.get("market"), int(q["limit"]), int(q.get("offset", 0)))

    def positions(q: Any) -> Any:
        return wallets.positions(q["user"], time.time(), q["redeemable"] == "true", int(q["limit"]), int(q["offset"]))

    def leaderboard(q: Any) -> Any:
        return [{"rank": "7", "proxyWallet": q["user"], "userName": "wallet", "vol": 1e6, "pnl": 1e4}]

    async def prices(request: Request) -> Response:
        seen.append(("/batch-prices-history", time.time()))
        q = msgspec.json.decode(await request.body())
        step = 60 * q["fidelity"]
        points = [{"t": t, "p": 0.5} for t in range(-(-q["start_ts"] // step) * step, q["end_ts"] + 1, step)]
        return answer({"history": dict.fromkeys(q["markets"], points)})

    async def one_price(request: Request) -> Response:
        seen.append(("/prices-history", time.time()))
        return answer({"history": [{"t": int(request.query_params["endTs"]), "p": 0.5}]})

    async def log(_: Request) -> Response:
        taken = list(seen)
        seen.clear()
        return answer(taken)

    routes = [
        noted("/activity", activity),
        noted("/positions", positions),
        noted("/value", lambda q: [{"user": q["user"], "value": 1e6}]),
        noted("/v1/leaderboard", leaderboard),
        noted("/user-pnl", lambda q: pnl_points(q["user_address"], q["interval"], q["fidelity"], time.time())),
        Route("/batch-prices-history", prices, methods=["POST"]),
        Route("/prices-history", one_price),
        Route("/_log", log),
    ]
    listening = socket.create_server(("127.0.0.1", 0))
    pipe.send(f"http://127.0.0.1:{listening.getsockname()[1]}")
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="error", access_log=False))
    server.run(sockets=[listening])


@contextmanager
def exchange(first_day: int, share: float) -> Iterator[str]:
    """Run the exchange in its own process."""
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=serve, args=(first_day, share, theirs), daemon=True)
    server.start()
    try:
        yield ours.recv()
    finally:
        server.terminate()
        server.join()


# The steps, each in a process of its own


def step(name: str, url: str, home: str, first: date, last: date) -> None:
    """Run one step over the days from `first` to `last`, both included."""
    from polypipe.orchestration.resources import Polymarket
    from polypipe.settings import load_settings
    from polypipe.warehouse import Warehouse

    hosts = {f"POLYPIPE_{host}_URL": url for host in ("GAMMA", "DATA", "PNL", "CLOB")}
    wallets = {"POLYPIPE_COPIER_ADDRESS": COPIER, "POLYPIPE_WHALE_ADDRESS": WHALE, "POLYPIPE_SCALING_RATIO": str(RATIO)}
    settings = load_settings(overrides=hosts | wallets | {"POLYPIPE_HOME": home, "POLYPIPE_BOT_DIR": f"{home}/bot"})
    warehouse, polymarket = Warehouse(settings.home), Polymarket.of(settings)
    assert settings.wallets is not None
    pair = settings.wallets
    start = datetime.combine(first, datetime.min.time(), UTC)
    end = datetime.combine(last, datetime.min.time(), UTC) + timedelta(days=1)
    if name == "history":
        from polypipe.history.activity import load_activity
        from polypipe.history.copy_quality import compute_quality
        from polypipe.history.pnl import load_pnl

        load_pnl(polymarket, warehouse, pair, start, end)
        load_activity(polymarket, warehouse, pair, start, end)
        compute_quality(warehouse, pair, start, end)
    elif name == "attribution":
        from polypipe.attribution.price_history import load_prices

        began = time.process_time()
        load_prices(polymarket, warehouse, pair, start, end)
        note("load_prices", began)
        from polypipe.attribution.copy_fills import compute_fills
        from polypipe.attribution.daily_gap import compute_gap
        from polypipe.attribution.metrics import compute_metrics
        from polypipe.attribution.wallet_fees import compute_wallet_fees

        for compute in (compute_fills, compute_wallet_fees, compute_metrics, compute_gap):
            began = time.process_time()
            compute(warehouse, pair, start, end)
            note(compute.__name__, began)
    elif name == "positions":
        from polypipe.divergence.position_refresh import refresh_positions

        compared = refresh_positions(polymarket, warehouse, pair)
        print(json.dumps(compared.summary.notes), file=sys.stderr)
    else:
        from polypipe.alerts.tick import Sources, run_tick
        from polypipe.divergence.snapshot import take_snapshot

        take_snapshot(polymarket, warehouse, pair)
        run_tick(Sources(settings, warehouse, polymarket))


def note(name: str, began: float) -> None:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  {name}: {time.process_time() - began:.1f} s CPU, peak so far {peak:.0f} MB", file=sys.stderr)


@dataclass
class Cost:
    """CPU seconds, peak MB of the largest process, wall seconds, requests, largest share of a published limit in 10 s."""

    cpu: float = 0.0
    memory: float = 0.0
    wall: float = 0.0
    requests: int = 0
    busiest: float = 0.0

    def add(self, other: "Cost") -> None:
        self.cpu, self.wall, self.requests = self.cpu + other.cpu, self.wall + other.wall, self.requests + other.requests
        self.memory, self.busiest = max(self.memory, other.memory), max(self.busiest, other.busiest)


def measured(name: str, url: str, home: str, first: date, last: date) -> Cost:
    """The cost of one step in a fresh process."""
    import httpx

    began = time.perf_counter()
    child = subprocess.Popen([sys.executable, __file__, "--step", name, url, home, first.isoformat(), last.isoformat()])
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    if status:
        sys.exit(f"{name} failed")
    log = httpx.get(f"{url}/_log", trust_env=False, timeout=60).json()
    cost = Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, wall, len(log), busiest(log))
    print(f"{name} {first}..{last}: {vars(cost)} {dict(Counter(path for path, _ in log))}", file=sys.stderr, flush=True)
    return cost


def busiest(log: Sequence[tuple[str, float]]) -> float:
    """The largest share of a published limit that any 10 s used."""
    times: dict[str, list[float]] = defaultdict(list)
    for path, at in log:
        times[path].append(at)
    return max(
        (
            max(n + 1 - bisect_left(times[path], at - 10) for n, at in enumerate(times[path])) / limit
            for path, limit in LIMITS.items()
            if times[path]
        ),
        default=0.0,
    )


def load(url: str, home: str, first: date, last: date, costs: dict[str, Cost], which: str) -> None:
    """Load and attribute the days from `first` to `last`, as a backfill does: in runs of 30 days."""
    begin = first
    while begin <= last:
        end = min(begin + timedelta(days=CHUNK_DAYS - 1), last)
        for name in ("history", "attribution"):
            costs.setdefault(f"{name}, {which}", Cost()).add(measured(name, url, home, begin, end))
        begin = end + timedelta(days=1)


def usual(url: str, home: str, yesterday: date) -> dict[str, Cost]:
    """The steps whose cost must not grow with the stored history."""
    night = Cost()
    for name in ("history", "attribution"):
        night.add(measured(name, url, home, yesterday - timedelta(days=REREAD_DAYS - 1), yesterday))
    return {"one day": night} | {name: measured(name, url, home, yesterday, yesterday) for name in ("positions", "tick")}


def trace_all(url: str, home: str, yesterday: date) -> tuple[Cost, int]:
    """The cost of the first comparison, and the number of comparisons until everything is traced."""
    first, number = measured("positions", url, home, yesterday, yesterday), 1
    while traces_left(home):
        measured("positions", url, home, yesterday, yesterday)
        number += 1
    return first, number


def traces_left(home: str) -> bool:
    from polypipe.warehouse import Warehouse

    with Warehouse(Path(home)).read() as con:
        (notes,) = con.execute("SELECT arg_max(notes, compared_at) FROM position_summaries").fetchall()[0]
    return "traces" in json.loads(notes)


def main() -> int:
    """Run all steps; print the results and whether the targets are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--step", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        name, url, home, first, last = options.step
        step(name, url, home, date.fromisoformat(first), date.fromisoformat(last))
        return 0

    today = datetime.now(UTC).date()
    yesterday, oldest = today - timedelta(days=1), today - timedelta(days=options.days)
    first_day = int(datetime.combine(oldest, datetime.min.time(), UTC).timestamp())
    wallets = Wallets(first_day, options.share)
    stored = f"{min(BASE_DAYS, options.days)} days"
    costs: dict[str, Cost] = {}
    with exchange(first_day, options.share) as url, tempfile.TemporaryDirectory() as home:
        load(url, home, max(oldest, today - timedelta(days=CHUNK_DAYS)), yesterday, costs, "first 30 days")
        base = max(oldest, today - timedelta(days=BASE_DAYS))
        load(url, home, base, today - timedelta(days=CHUNK_DAYS + 1), costs, "older days")
        costs["positions, first"], compared = trace_all(url, home, yesterday)
        usual(url, home, yesterday)  # the first night after a backfill reads prices that later nights have
        costs |= {f"{name}, {stored}": cost for name, cost in usual(url, home, yesterday).items()}
        load(url, home, oldest, base - timedelta(days=1), costs, "older days")
        costs |= {f"{name}, all days": cost for name, cost in usual(url, home, yesterday).items()}
    fills = wallets.before(WHALE, time.time()), wallets.before(COPIER, time.time())
    print(f"{fills[0]:,} fills of the whale ({wallets.per_day:,} a day), {fills[1]:,} of the copier, {options.days} days\n")
    print(f"{'':28}{'CPU s':>9}{'peak MB':>10}{'wall s':>9}{'requests':>10}{'share of limit':>16}")
    for name, cost in costs.items():
        print(f"{name:28}{cost.cpu:9.1f}{cost.memory:10.0f}{cost.wall:9.1f}{cost.requests:10}{cost.busiest:16.2f}")
    print(f"\nall traced after {compared} comparisons\n")
    targets = [(f"{name}: peak MB", cost.memory, MEMORY_MB) for name, cost in costs.items()]
    targets += [("busiest 10 s, share of a limit", max(cost.busiest for cost in costs.values()), RATE_SHARE)]
    for name in ("one day", "positions", "tick"):
        base, every = costs[f"{name}, {stored}"], costs[f"{name}, all days"]
        for figure in ("cpu", "memory", "requests"):
            targets.append(
                (f"{name}: {figure}, all days / {stored}", getattr(every, figure) / getattr(base, figure), GROWTH)
            )
    for name, value, limit in targets:
        print(f"{name:50}{value:10.2f}   at most {limit:.2f}   {'ok' if value <= limit else 'MISSED'}")
    return int(any(value > limit for _, value, limit in targets))


if __name__ == "__main__":
    sys.exit(main())
