"""Days that look complete and are not, as the asset stores them over HTTP; and days that look odd and are complete."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from polypipe.divergence.position_refresh import refresh_positions
from polypipe.health.facts import Facts
from polypipe.health.registry import BY_NAME
from polypipe.health.status import status_of
from polypipe.history.assets import wallet_activity, wallet_pnl
from polypipe.orchestration.daily import DailyReport, DailyRun
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.sim.script import YES, Script
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse
from polypipe_tests.conftest import settings_for
from polypipe_tests.divergence.support import rows
from polypipe_tests.history.support import DAY
from polypipe_tests.sim.in_process import URL, in_process
from polypipe_tests.sim.server import SimServer

HOUR = timedelta(hours=1)
WALLETS = Wallets(COPIER_ADDRESS, WHALE_ADDRESS, 0.1)


class Home:
    """An exchange that plays a script, three days up to today, and the tables that the assets of history fill."""

    def __init__(self, home: Path, sim: SimServer, today: datetime) -> None:
        self.sim, self.today = sim, today
        self.first, self.second, self.third = (today - n * DAY for n in (3, 2, 1))
        self.settings = settings_for(
            URL,
            POLYPIPE_HOME=str(home),
            POLYPIPE_COPIER_ADDRESS=COPIER_ADDRESS,
            POLYPIPE_WHALE_ADDRESS=WHALE_ADDRESS,
            POLYPIPE_SCALING_RATIO="0.1",
        )
        self.warehouse = Warehouse(home)

    def load(self, compute: Callable[[DailyRun], DailyReport]) -> DailyReport:
        """What one run of an asset of history does, over the three days."""
        days = [day.date() for day in (self.first, self.second, self.third)]
        exchange = in_process(self.sim)
        return compute(DailyRun(self.settings, self.warehouse, exchange, WALLETS, self.first, self.today, days))

    def compare(self, at: datetime) -> None:
        """A comparison of positions at an instant of the past."""
        now = self.sim.clock.now()
        self.sim.clock.set(at.timestamp())
        refresh_positions(in_process(self.sim), self.warehouse, WALLETS, clock=lambda: at)
        self.sim.clock.set(now)

    def whale(self) -> tuple[list[datetime], dict[datetime, str]]:
        """The whale's complete days, and the unknown ones with their reasons."""
        known = rows(self.warehouse, f"SELECT day FROM activity_days WHERE wallet = '{WHALE_ADDRESS}' ORDER BY day")
        unknown = rows(self.warehouse, f"SELECT day, reason FROM activity_unknown_days WHERE wallet = '{WHALE_ADDRESS}'")
        return [day.astimezone(UTC) for (day,) in known], {day.astimezone(UTC): why for day, why in unknown}


@pytest.fixture
def played(tmp_path: Path) -> Any:
    @contextmanager
    def play(script: Script, today: datetime) -> Iterator[Home]:
        with ExitStack() as stack:
            sim = SimServer(1, script=script, start=today + timedelta(minutes=30))
            stack.push(sim)
            yield Home(tmp_path, sim, today)

    return play


@pytest.fixture
def today() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def three_days(script: Script, today: datetime, markets: int) -> None:
    """A flat position bought and sold on each of the three days, in different markets or in one."""
    made = [script.market(f"Market {n}", 0.5) for n in range(markets)]
    for n in (3, 2, 1):
        noon, market = today - n * DAY + 12 * HOUR, made[n % markets]
        script.buy(WHALE_ADDRESS, noon, market, YES, 1_000, 0.5)
        script.sell(WHALE_ADDRESS, noon + HOUR, market, YES, 1_000, 0.5)


def test_days_of_a_new_wallet_are_complete(played: Any, today: datetime) -> None:
    script = Script()
    script.buy(WHALE_ADDRESS, today - DAY + HOUR, script.market("Will it rain?", 0.5), YES, 1_000, 0.5)
    script.buy(WHALE_ADDRESS, today + timedelta(minutes=10), script.market("Will it blow?", 0.5), YES, 1_000, 0.5)
    with played(script, today) as home:
        home.load(wallet_pnl)
        home.load(wallet_activity)
        assert home.whale() == ([home.first, home.second, home.third], {})


def test_days_of_an_unlisted_market_are_unknown_by_the_count_of_markets(played: Any, today: datetime) -> None:
    script = Script()
    three_days(script, today, markets=3)
    script.buy(WHALE_ADDRESS, today + timedelta(minutes=10), script.market("Will it blow?", 0.5), YES, 1_000, 0.5)
    with played(script, today) as home:
        home.sim.faults.add("newest", "/activity", value=3)
        report = home.load(wallet_activity)
        known, unknown = home.whale()
        assert (known, set(unknown)) == ([], {home.first, home.second, home.third})
        assert "but the API counts 4 markets that the wallet has traded and lists activity in 2" in unknown[home.first]
        assert report.days[home.first.date()]["whale_unknown"] == unknown[home.first]
        assert "copier_unknown" not in report.days[home.first.date()]
        assert report.warnings == [f"3 days of the whale not known completely; {home.first.date()}: {unknown[home.first]}"]


def test_days_before_the_oldest_row_are_unknown_if_pnl_is_older(played: Any, today: datetime) -> None:
    script = Script()
    market = script.market("Will it rain?", [((today - n * DAY).timestamp(), price) for n, price in ((3, 0.5), (2, 0.6))])
    for n in (3, 1):
        script.buy(WHALE_ADDRESS, today - n * DAY + 12 * HOUR, market, YES, 1_000, 0.5)
    with played(script, today) as home:
        home.load(wallet_pnl)
        home.sim.faults.add("newest", "/activity", value=1)
        home.load(wallet_activity)
        known, unknown = home.whale()
        assert (known, set(unknown)) == ([], {home.first, home.second, home.third})
        assert "but the wallet has PnL on" in unknown[home.third]
        home.sim.faults.clear()
        home.load(wallet_activity)
        assert home.whale() == ([home.first, home.second, home.third], {})


def test_days_before_the_oldest_row_are_unknown_if_positions_are_older(played: Any, today: datetime) -> None:
    script = Script()
    three_days(script, today, markets=1)
    with played(script, today) as home:
        home.compare(home.first + 12.5 * HOUR)
        home.sim.faults.add("newest", "/activity", value=2)
        home.load(wallet_activity)
        known, unknown = home.whale()
        assert (known, set(unknown)) == ([], {home.first, home.second, home.third})
        assert f"but it held positions at {home.first:%Y-%m-%d} 12:30 UTC" in unknown[home.first]


def test_count_of_markets_that_cannot_be_read_contradicts_nothing_and_is_reported(played: Any, today: datetime) -> None:
    script = Script()
    three_days(script, today, markets=3)
    with played(script, today) as home:
        home.sim.faults.add("newest", "/activity", value=2)
        home.sim.faults.add("status", "/traded", status=404)
        report = home.load(wallet_activity)
        assert len(home.whale()[0]) == 3
        assert len(report.warnings) == 2
        assert f"the number of markets that {WHALE_ADDRESS} traded could not be read" in "".join(report.warnings)


def hidden_day(script: Script, today: datetime) -> None:
    """A gain made and closed on the second day; quiet days around it, and older activity."""
    at = [int((today - n * DAY).timestamp()) for n in (5, 2)]
    market = script.market("Will it rain?", [(at[0], 0.5), (at[1] + 12 * 3600, 0.5), (at[1] + 13 * 3600, 0.8)])
    script.buy(WHALE_ADDRESS, today - 5 * DAY, market, YES, 100, 0.5)
    script.sell(WHALE_ADDRESS, today - 5 * DAY + HOUR, market, YES, 100, 0.5)
    script.buy(WHALE_ADDRESS, today - 2 * DAY + 12 * HOUR, market, YES, 1_000, 0.5)
    script.sell(WHALE_ADDRESS, today - 2 * DAY + 14 * HOUR, market, YES, 1_000, 0.8)


def without(home: Home, day: datetime) -> None:
    """Serve activity as if a day had none."""
    low, high = day.timestamp(), (day + DAY).timestamp()
    home.sim.faults.add("mutate", "/activity", mutate=lambda rows: [r for r in rows if not low <= r["timestamp"] < high])


def test_quiet_day_with_a_gain_while_nothing_is_open_is_unknown(played: Any, today: datetime) -> None:
    script = Script()
    hidden_day(script, today)
    with played(script, today) as home:
        for at in (home.first + HOUR, home.second + HOUR, home.second + 20 * HOUR, home.third + HOUR):
            home.compare(at)
        home.load(wallet_pnl)
        without(home, home.second)
        home.load(wallet_activity)
        known, unknown = home.whale()
        assert (known, set(unknown)) == ([home.first, home.third], {home.second})
        assert "PnL moved by $300.00 while nothing was open" in unknown[home.second]
        with Facts(home.settings, warehouse=home.warehouse) as facts:
            (reason,) = [one for one in status_of(facts).reasons if "not known completely" in one]
            assert f"The whale's activity is not known completely on 1 day ({home.second:%Y-%m-%d})" in reason
            assert reason.endswith(f"if they stay unknown, set POLYPIPE_HISTORY_START to {home.third:%Y-%m-%d}")
            assert [one.key for one in BY_NAME["unproven_days"].run(facts) if one.state == "failing"] == ["whale"]
        home.sim.faults.clear()
        home.load(wallet_activity)
        assert home.whale() == ([home.first, home.second, home.third], {})


def test_quiet_day_without_a_comparison_before_the_move_is_not_contradicted(played: Any, today: datetime) -> None:
    script = Script()
    hidden_day(script, today)
    with played(script, today) as home:
        home.compare(home.second + 20 * HOUR)  # what was open before is not known
        home.load(wallet_pnl)
        without(home, home.second)
        home.load(wallet_activity)
        assert home.whale() == ([home.first, home.second, home.third], {})


def test_quiet_day_with_an_open_position_is_complete(played: Any, today: datetime) -> None:
    script = Script()
    market = script.market("Will it rain?", [((today - n * DAY).timestamp(), price) for n, price in ((5, 0.5), (1.5, 0.9))])
    script.buy(WHALE_ADDRESS, today - 5 * DAY, market, YES, 1_000, 0.5)
    with played(script, today) as home:
        for at in (home.first + HOUR, home.second + HOUR, home.third + HOUR):
            home.compare(at)
        home.load(wallet_pnl)
        home.load(wallet_activity)
        (moved,) = rows(home.warehouse, f"SELECT max(p) - min(p) FROM wallet_pnl WHERE wallet = '{WHALE_ADDRESS}'")
        assert moved[0] == pytest.approx(400)
        assert home.whale() == ([home.first, home.second, home.third], {})


def test_quiet_day_of_a_wallet_with_combos_is_not_contradicted(played: Any, today: datetime) -> None:
    script = Script()
    hidden_day(script, today)
    legs = [(script.market(name, 0.5), YES) for name in ("Will it rain?", "Will it blow?")]
    script.buy(WHALE_ADDRESS, today - DAY + HOUR, script.combo(*legs), YES, 10, 0.25)
    with played(script, today) as home:
        home.compare(home.second + HOUR)
        home.load(wallet_pnl)
        without(home, home.second)
        home.load(wallet_activity)
        assert home.whale() == ([home.first, home.second, home.third], {})
