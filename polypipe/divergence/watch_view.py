"""What `polypipe watch` shows: a block of text, a panel on a terminal, a summary at the end."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO, TypeVar

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from polypipe.clock import Clock
from polypipe.divergence.sources import SOURCES
from polypipe.divergence.watch_sample import LabelledWallet, Sample, WalletFigures, WatchedPair
from polypipe.divergence.watch_session import Session
from polypipe.divergence.watch_text import brief, percent, shown, signed, signed_percent, sparkline
from polypipe.facts import Fact
from polypipe.text import count, duration, money

T = TypeVar("T")
Changes = tuple[float | None, float | None]  # since the last update, since the start


SPARKS = 48

NO_CHANGE = "–"  # no earlier value


def block(sample: Sample, pair: WatchedPair) -> str:
    """The sample as text, for pipes and logs. WARNING marks a sample with a failed source."""
    lines = [
        f"{_time(sample.time)} | {'WARNING' if sample.failed else 'INFO'} |",
        f"  {_wallet_line(pair.copier, sample.copier)}",
        f"  {_wallet_line(pair.whale, sample.whale)}",
        "",
        *_aligned(_gap_lines(sample, pair)),
    ]
    return "\n".join(lines)


def live_panel(session: Session, out: TextIO, clock: Clock) -> Live:
    """A panel that is redrawn each second, because ages grow between updates."""
    console = Console(file=out)
    return Live(console=console, get_renderable=lambda: panel(session, clock()), refresh_per_second=1)


def panel(session: Session, now: datetime) -> RenderableType:
    """The panel at `now`: status, wallets, gap, ages."""
    title = "polypipe watch" + (" – SIMULATED DATA" if session.pair.simulated else "")
    parts: list[RenderableType] = [_status(session)]  # first, because a low terminal cuts off the bottom
    if session.samples:
        sample = session.samples[-1]
        parts += [_wallets(session, sample), Text(), _figures(session, sample), Text(), _ages(session, sample, now)]
    return Panel(Group(*parts), title=title, title_align="left", expand=False)


def summary(session: Session, save: Path | None) -> str:
    """Summary of the session, as text."""
    end = session.samples[-1].time if session.samples else session.began
    counts = count(session.updates, "update")
    if session.partial:
        counts += f", {session.partial} with a source missing"
    if session.outages:
        counts += f", {session.outages} without any answer"
    lines = [f"Session: {_time(session.began)} to {_time(end)} ({duration(end - session.began)}), {counts}"]
    if session.samples:
        pair = session.pair
        for name, what, form in (
            ("user1_value", f"{pair.copier.name}: Value", money),
            ("user1_pnl", f"{pair.copier.name}: Day PnL", signed),
            ("user2_value", f"{pair.whale.name}: Value", money),
            ("user2_pnl", f"{pair.whale.name}: Day PnL", signed),
            ("pnl_vs_expected", "Gap", signed),
        ):
            lines.append(f"  {what}: {_course(session, name, form)}")
        if session.gap_range:
            lines.append(f"  The gap was between {signed(session.gap_range[0])} and {signed(session.gap_range[1])}")
    if save is not None:
        lines.append(f"  Saved: {session.saved} lines in {save}")
    return "\n".join(lines)


def _wallet_line(wallet: LabelledWallet, figures: WalletFigures) -> str:
    value, pnl, rank = shown(figures.value, money), shown(figures.pnl, signed), shown(figures.rank, str)
    return f"{wallet.name}: Value: {value}  |  Day PnL: {pnl}  |  Rank: {rank}"


def _gap_lines(sample: Sample, pair: WatchedPair) -> list[tuple[str, str]]:
    """(name, text) of the lines below the wallets."""
    pnl_gap = sample.pnl_gap
    gap = shown(pnl_gap.gap, signed)
    if pnl_gap.gap.value is not None:
        share = pnl_gap.gap_percent
        gap += f" ({signed_percent(share.value)})" if share.value is not None else f", {shown(share, percent)}"
    lost = pnl_gap.loss_share.value is not None
    return [
        (f"Expected PnL ({100 * pair.ratio:g}%)", shown(pnl_gap.expected, signed)),
        ("Actual PnL", shown(pnl_gap.copier_pnl, signed)),
        ("Gap", gap),
        ("Loss share" if lost else "Efficiency", shown(pnl_gap.loss_share if lost else pnl_gap.efficiency, percent)),
    ]


def _aligned(lines: list[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in lines) + 2
    return [f"  {f'{name}:':<{width}}{text}" for name, text in lines]


def _wallets(session: Session, sample: Sample) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row("", *(Text(name, "bold") for name in ("Value", "Day PnL", "Rank")))
    for user, wallet, figures in (
        ("user1", session.pair.copier, sample.copier),
        ("user2", session.pair.whale, sample.whale),
    ):
        table.add_row(
            Text(wallet.name, "bold"),
            _cell(figures.value, money),
            _cell(figures.pnl, signed),
            _cell(figures.rank, str),
        )
        _add_changes(
            table,
            (session.changes(f"{user}_value"), signed),
            (session.changes(f"{user}_pnl"), signed),
            (session.changes(f"{user}_rank"), _signed_whole),
        )
    return table


def _figures(session: Session, sample: Sample) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, text in _gap_lines(sample, session.pair):
        table.add_row(Text(name, "bold"), Text(text, "yellow" if "n/a (" in text else ""))
        if name == "Gap":
            _add_changes(table, (session.changes("pnl_vs_expected"), signed))
            sparks = sparkline([each.pnl_gap.gap.value for each in session.samples[-SPARKS:]])
            table.add_row(Text("  over the session", "dim"), Text(sparks, "cyan"))
    return table


def _add_changes(table: Table, *numbers: tuple[Changes, Callable[[float], str]]) -> None:
    """Rows of changes since the last update and since the start, each only if a change is known."""
    for position, since in enumerate(("  since the last", "  since the start")):
        changes = [(both[position], form) for both, form in numbers]
        if any(change is not None for change, _ in changes):
            cells = [NO_CHANGE if change is None else form(change) for change, form in changes]
            table.add_row(*(Text(text, "dim") for text in (since, *cells)))


def _ages(session: Session, sample: Sample, now: datetime) -> Group:
    """Age of each source's last usable answer, and the hours that the PnL covers."""
    lines = []
    for user, wallet in (("user1", session.pair.copier), ("user2", session.pair.whale)):
        times = {name: sample.answered.get(f"{user}_{name}") for name in SOURCES}
        ages = [f"{name} {duration(now - time) if time else 'never answered'}" for name, time in times.items()]
        lines.append(Text(f"Age, {wallet.label or wallet.name}: {', '.join(ages)}", "dim"))
    window = sample.pnl_gap.window
    if window.start and window.end:
        covered = f"{_minute(window.start)} to {_minute(window.end)} UTC ({window.hours:g} h)"
        lines.append(Text(f"Day PnL over {covered}", "dim"))
    return Group(*lines)


def _status(session: Session) -> Text:
    if not session.samples:
        return Text("fetching both wallets ...")
    if session.outage_since is not None:
        why = brief(next(iter(session.samples[-1].failed.values())))
        return Text(f"OUTAGE since {_minute(session.outage_since)} UTC: no source answers ({why})", "bold red")
    updates = f"{count(session.updates, 'update')} since {_minute(session.began)} UTC"
    missing = f", {session.partial + session.outages} incomplete" if session.partial + session.outages else ""
    return Text(f"{updates}, every {session.interval:g} s{missing}; Ctrl-C ends", "dim")


def _course(session: Session, name: str, form: Callable[[float], str]) -> str:
    """`$500.00 -> $510.00 (+$10.00)`: first known value, value of the last sample, change."""
    last = session.samples[-1].facts()[name]
    if name not in session.first:
        return shown(last, form)
    _, change = session.changes(name)
    course = f"{form(session.first[name])} -> {shown(last, form)}"
    return course if change is None else f"{course} ({signed(change)})"


def _cell(fact: Fact[T], form: Callable[[T], str]) -> Text:
    return Text(shown(fact, form), "yellow" if fact.value is None else "")


def _signed_whole(value: float) -> str:
    return f"{value:+.0f}" if value else "0"


def _time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}+00:00"


def _minute(time: datetime) -> str:
    return f"{time.astimezone(UTC):%d %b %H:%M}"
