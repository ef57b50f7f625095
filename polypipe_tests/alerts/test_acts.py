"""Every act that is not a trade, at once: a tick over HTTP sends no alert about copying that is not true."""

import os
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from polypipe.alerts.rules import load_rules
from polypipe.alerts.store import AlertState
from polypipe.alerts.tick import Sources, evaluate
from polypipe.bot.logs import TRADE_LOG
from polypipe.divergence.assets import positions
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.sim.script import NO, YES, Script
from polypipe.sim.wallets import DEPOSIT_ADDRESS
from polypipe.warehouse import Warehouse
from polypipe_tests.conftest import impatient, settings_for
from polypipe_tests.sim.server import SimServer


def test_only_the_true_exit_and_the_true_miss_of_a_whale_that_does_everything_are_sent(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    t = int(now.timestamp())
    old, recent = t - 2 * 86_400, t - 600
    script = Script(ratio=0.1)
    a, b, c = script.event("Who wins?", {"A": 0.3, "B": 0.3, "C": 0.4})
    for market in (a, b):
        script.copy(script.buy(WHALE_ADDRESS, old, market, NO, 5_000, 0.70), 500)
    merged, missed, moved, dust, fee, split = (
        script.market(f"{name}?", 0.5) for name in ("merged", "missed", "moved", "dust", "fee", "split")
    )
    script.copy(script.buy(WHALE_ADDRESS, old, merged, YES, 10_000, 0.50), 1_000)
    script.copy(script.buy(WHALE_ADDRESS, old, moved, YES, 5_000, 0.50), 500)
    script.copy(script.buy(WHALE_ADDRESS, old, dust, YES, 1_000, 0.50), 100)
    script.sell(COPIER_ADDRESS, old + 60, dust, YES, 99.7, 0.50)
    script.copy(script.buy(WHALE_ADDRESS, old, fee, YES, 1_000, 0.50, received=978.7), 97.87)
    script.convert(WHALE_ADDRESS, recent, [a, b], 5_000)
    script.buy(WHALE_ADDRESS, old + 60, merged, NO, 10_000, 0.50)
    script.merge(WHALE_ADDRESS, recent, merged, 10_000)
    script.migrate(WHALE_ADDRESS, DEPOSIT_ADDRESS, recent, moved, YES, 5_000, silent=True)
    script.sell(WHALE_ADDRESS, old + 30, dust, YES, 1_000, 0.50)
    script.copy(script.sell(WHALE_ADDRESS, recent, fee, YES, 978.7, 0.50), 97.87)
    script.split(WHALE_ADDRESS, recent, split, 1_000)
    script.sell(WHALE_ADDRESS, recent + 10, split, NO, 1_000, 0.50)
    for second in range(5):
        script.buy(WHALE_ADDRESS, recent + second, script.combo((merged, YES), (split, YES)), YES, 1_000, 0.40)
    script.buy(WHALE_ADDRESS, recent + 20, missed, YES, 10_000, 0.50)
    drawn = script.market("drawn?", 0.5, settles_at=recent, payout=0.5)
    won = script.market("won?", 0.5, settles_at=recent)
    rest = script.market("rest?", 0.5)
    script.copy(script.buy(WHALE_ADDRESS, old, drawn, YES, 1_000, 0.50), 100)
    script.copy(script.buy(WHALE_ADDRESS, old, drawn, NO, 500, 0.50), 50)
    script.redeem_both(WHALE_ADDRESS, recent + 60, drawn, 1_000, 500)
    script.copy(script.buy(WHALE_ADDRESS, old, won, YES, 1_000, 0.50), 100)
    script.repeat(script.redeem(WHALE_ADDRESS, recent + 60, won, YES, 1_000))
    script.redeem(COPIER_ADDRESS, recent + 60, won, YES, 100)
    script.copy(script.buy(WHALE_ADDRESS, old, rest, YES, 2_000, 0.50), 200)
    script.copy(script.sell(WHALE_ADDRESS, recent + 30, rest, YES, 1_999.7, 0.50), 200)
    log = tmp_path / TRADE_LOG.file
    log.write_text(f"{TRADE_LOG.header}\n")
    os.utime(log, (recent - 60, recent - 60))  # four fills on the book and five combos ago; five fills are silence
    with SimServer(1, script=script, start=t) as sim:
        settings = settings_for(
            sim.url,
            POLYPIPE_HOME=str(tmp_path / "home"),
            POLYPIPE_BOT_DIR=str(tmp_path),
            POLYPIPE_COPIER_ADDRESS=COPIER_ADDRESS,
            POLYPIPE_WHALE_ADDRESS=WHALE_ADDRESS,
            POLYPIPE_SCALING_RATIO="0.1",
        )
        warehouse, polymarket = Warehouse(settings.home), impatient(settings)
        resources = {"settings": settings, "warehouse": warehouse, "polymarket": polymarket}
        assert dg.materialize([positions], resources=resources).success
        with warehouse.read() as con:
            statuses = dict(con.execute("SELECT token_id, status FROM positions").fetchall())
        found = evaluate(
            Sources(settings, warehouse, polymarket),
            AlertState(watching_since=now),
            load_rules(settings),
            datetime.now(UTC),
        ).findings
    assert statuses == {
        a.token(NO): "converted",
        b.token(NO): "converted",
        c.token(YES): "converted",
        merged.token(YES): "orphan",
        moved.token(YES): "moved",
        dust.token(YES): "below_minimum",
        drawn.token(YES): "resolved",
        drawn.token(NO): "resolved",
        rest.token(YES): "below_minimum",
        split.token(YES): "missed",
        missed.token(YES): "missed",
    }
    failing = {
        rule: [one.key for one in found[rule] if one.state == "failing"]
        for rule in ("missed_copy", "uncopied_exit", "bot_silent", "unredeemed")
    }
    assert failing == {
        "missed_copy": [f"{missed.token(YES)} BUY"],
        "uncopied_exit": [merged.token(YES)],
        "bot_silent": [],
        "unredeemed": [drawn.token(YES)],  # 50 USD, the limit; sent if it lasts six hours
    }
