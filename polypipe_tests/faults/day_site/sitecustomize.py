"""Loaded by every Python process that runs under a faked clock (see `day.py`): what libfaketime leaves undone.

Its sleep until an instant of the monotonic clock, which is `time.sleep`, fails while that clock is not faked. And it does
not fake the times of files, which polypipe compares with the clock: their ages are multiplied here by the clock's speed.
"""

import os
import threading
import time

time.sleep = lambda seconds: threading.Event().wait(seconds) and None

_real_stat = os.stat


def _stat(*args, **kwargs):
    found = _real_stat(*args, **kwargs)
    speed, real_minus_monotonic = map(float, os.environ["DAY_LINE"].split())
    age = time.monotonic() + real_minus_monotonic - found.st_mtime
    mtime = time.time() - age * speed
    more = {name: getattr(found, name) for name in ("st_atime", "st_ctime", "st_blksize", "st_blocks", "st_rdev")}
    more |= {name: getattr(found, name) for name in ("st_atime_ns", "st_ctime_ns")}
    return os.stat_result(tuple(found), more | {"st_mtime": mtime, "st_mtime_ns": found.st_mtime_ns})


if "DAY_LINE" in os.environ:
    os.stat = _stat
