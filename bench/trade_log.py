"""Rows a second and peak memory of reading the bot's trade log into DuckDB, compared with pandas.

    python bench/trade_log.py [--lines 1000000]

Both read the same file into a DuckDB table and one Parquet file a day. Each runs in its own process, whose time and peak
memory are measured from outside. The baseline uses pandas: `read_csv`, the same grammar for each row, a frame of the
results stored by DuckDB. It keeps no read position and runs out of memory on a larger file. Polypipe parses lines while
DuckDB merges the previous batch, which saves time only if two cores are free; so the CPU time is printed as well.

Exit code 1 if polypipe takes more than half of the baseline's time or more than a quarter of its memory.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

TIME_SHARE = 0.5
MEMORY_SHARE = 0.25

START = datetime(2026, 11, 1, tzinfo=UTC)


def write_log(path: Path, lines: int) -> None:
    """Write a log as the bot does: ten days, mostly skipped small fills, orders, underfills and errors."""
    from polypipe.bot.grammar import TRADE_LOG_HEADER

    chance = random.Random(7)
    tokens = [str(chance.getrandbits(255)) for _ in range(2000)]
    step = timedelta(days=10) / lines
    with path.open("w", encoding="utf-8") as file:
        file.write(TRADE_LOG_HEADER + "\n")
        for number in range(lines):
            at = f"{START + number * step:%Y-%m-%d %H:%M:%S.%f}"[:-3]
            shares, price = round(chance.lognormvariate(5, 2), 6), chance.randint(1, 99) / 100
            my = shares / 50
            kind = chance.random()
            order = (
                f"[SCALED] | my {my:.2f} @ \x1b[31m{min(price + 0.01, 0.99):.2f}\x1b[0m | whale {shares:.1f} @ {price:.2f}"
            )
            if kind < 0.35:
                status = "SKIPPED_SMALL (<10 shares)"
            elif kind < 0.45:
                status = f"SKIPPED_PROBABILITY (PROB_SKIP ({chance.randint(1, 99)}%))"
            elif kind < 0.8:
                status = f"200 OK {order}"
            elif kind < 0.9:
                got = my * chance.random()
                status = f"200 OK {order} | \x1b[33mUNDERFILL: {got:.2f}/{my:.2f} filled; resubmit {my - got:.2f}\x1b[0m"
            elif kind < 0.95:
                status = f'400 Bad Request {order} | {{"error":"no orders found to match with FAK order"}}'
            else:
                status = chance.choice(["CB_BLOCKED:TRAP", "WORKER_TIMEOUT", "EXEC_FAIL: timed out | chain: a -> b"])
            book = f'"{price:.2f}","{chance.randint(5, 5000)}","{price + 0.01:.2f}",N/A'
            file.write(
                f"{at},{60_000_000 + number},{chance.choice(tokens)},{shares * price:.2f},{shares:.6f},{price:.4f},"
                f"{'BUY_FILL' if number % 3 else 'SELL_FILL'},{status},{book},0x{chance.getrandbits(256):064x},"
                f"{'true' if number % 5 == 0 else 'false'}\n"
            )


def ours(path: Path, home: Path) -> int:
    """Ingest through the spool and the gate and publish, as the asset does."""
    from polypipe.bot.ingest import ingest
    from polypipe.bot.logs import TRADE_LOG
    from polypipe.warehouse import Warehouse

    return ingest(Warehouse(home), TRADE_LOG, path).rows


def with_pandas(path: Path, home: Path) -> int:
    """Read the whole file as a frame, parse its rows with the same grammar, store the result through DuckDB."""
    import duckdb
    import msgspec
    import pandas as pd

    from polypipe.bot.grammar import parse_line

    home.mkdir()
    frame = pd.read_csv(path, dtype=str, quoting=3, keep_default_na=False)  # 3 is QUOTE_NONE
    parsed = pd.DataFrame([msgspec.structs.asdict(parse_line(",".join(row))) for row in frame.itertuples(index=False)])
    parsed["day"] = parsed["logged_at"].dt.floor("D")
    con = duckdb.connect(str(home / "plain.duckdb"), config={"threads": 1})
    con.execute("CREATE TABLE trade_log AS SELECT * FROM parsed")
    con.execute(f"COPY trade_log TO '{home}/days' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (day))")
    con.close()
    return len(parsed)


def measure(way: str, path: Path, home: Path) -> tuple[int, float, float, float]:
    """(rows, seconds, CPU seconds, peak MB) of one side in a new process."""
    began = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, __file__, "--way", way, "--log", str(path), "--home", str(home)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout
    rows = int(child.stdout.read())
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0
    return rows, time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--way", choices=["ours", "pandas"], help=argparse.SUPPRESS)
    parser.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print({"ours": ours, "pandas": with_pandas}[options.way](options.log, options.home))
        return 0
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "matches_optimized.csv"
        write_log(path, options.lines)
        print(f"{options.lines} lines, {path.stat().st_size / 1e6:.0f} MB")
        results = {way: measure(way, path, Path(directory) / way) for way in ("ours", "pandas")}
    for way, (rows, seconds, cpu, megabytes) in results.items():
        assert rows == options.lines, f"{way} lost rows: {rows}"
        print(f"{way:8} {seconds:7.1f} s ({cpu:.1f} of CPU) {rows / seconds:10.0f} rows/s {megabytes:8.0f} MB peak")
    (_, our_seconds, _, our_memory), (_, their_seconds, _, their_memory) = results["ours"], results["pandas"]
    missed = False
    for name, share, limit in (
        ("time", our_seconds / their_seconds, TIME_SHARE),
        ("memory", our_memory / their_memory, MEMORY_SHARE),
    ):
        missed |= share > limit
        print(f"{name:8} {share:.2f} of the baseline, at most {limit}: {'ok' if share <= limit else 'MISSED'}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
