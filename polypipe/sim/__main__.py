"""Command line of the simulated exchange."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import click

from polypipe.sim import odd
from polypipe.sim.bot import BotLog
from polypipe.sim.script import Script
from polypipe.sim.server import Exchange


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8790, show_default=True, help="Port; 0 picks a free one.")
@click.option(
    "--events",
    default=300,
    show_default=True,
    type=click.IntRange(1),
    help="Open events with a sports tag. One tenth as many are open without one.",
)
@click.option("--latency-ms", default=0.0, show_default=True, help="Delay before every response.")
@click.option("--seed", default=7, show_default=True, help="The same seed gives the same world.")
@click.option("--speed", default=1.0, show_default=True, help="Simulated seconds per real second, from now.")
@click.option(
    "--odd-acts",
    is_flag=True,
    help="Let the whale also merge, split, convert, buy combos, leave dust and tip, and let takers pay fees.",
)
@click.option(
    "--bot-log", type=click.Path(dir_okay=False, path_type=Path), help="File to append the simulated bot's trade log to."
)
def main(
    host: str,
    port: int,
    events: int,
    latency_ms: float,
    seed: int,
    speed: float,
    odd_acts: bool,
    bot_log: Path | None,
) -> None:
    """Simulated Polymarket: Gamma, Data, user-pnl and CLOB on one port."""
    script = Script(life=True, fees=True, daily=odd.odd_acts) if odd_acts else None
    try:
        start = datetime.now(UTC).timestamp()
        server = Exchange(
            events, seed, start=start, speed=speed, latency_ms=latency_ms, host=host, port=port, script=script
        )
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror}") from error
    click.echo(f"simulated Polymarket at {server.url} (seed {seed}, {events} events)")
    if bot_log is None:
        server.run()
        return
    log = BotLog(server.ledger, server.clock, bot_log)
    bot = threading.Thread(target=log.follow, name="bot-log", daemon=True)
    bot.start()
    server.run()
    log.stop()
    bot.join(timeout=5)


if __name__ == "__main__":
    main()
