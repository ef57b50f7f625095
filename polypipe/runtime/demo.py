"""`polypipe demo`: settings that point everything at the simulated exchange, and the exchange's process."""

import sys

from polypipe.bot.logs import TRADE_LOG
from polypipe.runtime.ports import free_port
from polypipe.runtime.programs import Program
from polypipe.setting_sources import DEMO
from polypipe.settings import Settings, load_settings
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS


def demo_settings(settings: Settings) -> tuple[Settings, int]:
    """Settings of the demo, and the port of its exchange.

    The demo's home is `demo` inside the home of `settings`, or that home itself if it is a demo. Not taken over is what
    could touch real data: the bot's directory, the wallets, the alert channels, and Dagster's storage in Postgres.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    home = settings.home if settings.sources["simulated"] == DEMO else settings.home / "demo"
    overrides = {
        "POLYPIPE_HOME": str(home),
        "POLYPIPE_BOT_DIR": str(home / "bot"),
        "POLYPIPE_BOT_PROFILE": "classic",
        "POLYPIPE_GAMMA_URL": url,
        "POLYPIPE_DATA_URL": url,
        "POLYPIPE_PNL_URL": url,
        "POLYPIPE_CLOB_URL": url,
        "POLYPIPE_COPIER_ADDRESS": COPIER_ADDRESS,
        "POLYPIPE_WHALE_ADDRESS": WHALE_ADDRESS,
        "POLYPIPE_COPIER_LABEL": "Simulated copier",
        "POLYPIPE_WHALE_LABEL": "Simulated whale",
        "POLYPIPE_ALERT_URLS": "",
        "POLYPIPE_PING_URL": "",
        "POLYPIPE_POSTGRES_URL": "",
        "POLYPIPE_SIMULATED": "1",
    }
    return load_settings(overrides=overrides), port


def demo_programs(settings: Settings, port: int, events: int, seed: int) -> list[Program]:
    """The program of the simulated exchange, which also writes the log of the copier's bot."""
    options = {"--port": port, "--events": events, "--seed": seed, "--bot-log": settings.bot_dir / TRADE_LOG.file}
    arguments = [str(part) for option in options.items() for part in option]
    return [Program("exchange", [sys.executable, "-m", "polypipe.sim", "--odd-acts", *arguments])]
