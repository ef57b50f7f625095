"""Time to publish 200,000 token ids: build, validate, compare with the last file, fsync and record.

The baseline does what the scripts did that polypipe replaces: `json.dump` in place, without validation, comparison,
fsync, guard or record. Both sides start from the same rows in memory and run in turn in one process.

    python bench/publish.py [--ids 200000] [--rounds 9]

Exit code 1 if the median publication takes more than 0.3 s.
"""

import argparse
import json
import random
import resource
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from polypipe.caches.formats import BOOL_MAP
from polypipe.caches.publish import publish
from polypipe.warehouse import Warehouse

LIMIT_SECONDS = 0.3


def main() -> int:
    """Time both sides; print the results and whether the target is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ids", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    source = random.Random(7)
    ids = [str(source.randrange(10**76, 10**77)) for _ in range(options.ids)]

    def rows(number: int) -> list[tuple[str, bool]]:
        """Rows as a query returns them; each round changes 1 % and replaces 0.5 % of the tokens."""
        fresh = random.Random(number)
        kept = ids[fresh.randrange(options.ids // 200) :]
        new = [str(fresh.randrange(10**76, 10**77)) for _ in range(options.ids - len(kept))]
        sorted_rows = sorted((token_id, fresh.random() < 0.01) for token_id in kept + new)
        return [(token_id, live) for token_id, live in json.loads(json.dumps(sorted_rows))]  # new strings, as from a query

    ours, plain = [], []
    with tempfile.TemporaryDirectory() as directory:
        warehouse = Warehouse(Path(directory) / "home")
        for number in range(options.rounds + 1):
            data = rows(number)

            began = time.perf_counter()
            with (Path(directory) / "plain.json").open("w") as file:
                json.dump(dict(data), file)
            plain.append(time.perf_counter() - began)

            began = time.perf_counter()
            publication = publish(
                Path(directory) / "bot" / ".live_cache.json",
                BOOL_MAP,
                dict(data),
                crawl_id=str(number),
                observed_at=datetime.now(UTC),
                warehouse=warehouse,
            )
            ours.append(time.perf_counter() - began)
            assert publication.rewritten
            assert number == 0 or publication.changed > 0

    seconds, baseline = (
        statistics.median(ours[1:]),
        statistics.median(plain[1:]),
    )  # without the first publication
    print(f"{options.ids} ids, medians of {options.rounds} rounds")
    print(f"publish      {seconds:.3f} s (fastest {min(ours[1:]):.3f}, slowest {max(ours[1:]):.3f})")
    print(f"json.dump    {baseline:.3f} s    ratio {seconds / baseline:.2f}")
    print(f"peak memory  {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    print(f"target       at most {LIMIT_SECONDS} s: {'ok' if seconds <= LIMIT_SECONDS else 'MISSED'}")
    return int(seconds > LIMIT_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
