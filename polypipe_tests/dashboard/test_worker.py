"""The worker process: results and exceptions come back, and nothing of a call is left."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from polypipe.dashboard.worker import Worker, WorkerBusy, WorkerTimeout
from polypipe.errors import PolypipeError
from polypipe_tests.support import wait_until

SECONDS = 60.0


def children():
    found = psutil.Process().children()
    return [child for child in found if "spawn_main" in " ".join(child.cmdline())]


def refuse(message, hint):
    raise PolypipeError(message, hint)


def unpicklable():
    return threading.Lock()


def test_result_comes_back_from_another_process():
    assert Worker().call(os.getpid, seconds=SECONDS) != os.getpid()


def test_exception_comes_back_with_message_and_hint():
    with pytest.raises(PolypipeError) as caught:
        Worker().call(refuse, "no days are stored", "run a backfill", seconds=SECONDS)
    assert (caught.value.message, caught.value.hint) == ("no days are stored", "run a backfill")


def test_slow_call_is_killed_and_the_next_one_works():
    worker = Worker()
    with pytest.raises(WorkerTimeout, match=r"no answer in 0\.5 s"):
        worker.call(time.sleep, 60, seconds=0.5)
    assert children() == []
    assert worker.call(abs, -1, seconds=SECONDS) == 1


def test_dead_worker_is_named_with_its_code_and_the_next_call_works():
    worker = Worker()
    with pytest.raises(PolypipeError, match="ended with code 7"):
        worker.call(os._exit, 7, seconds=SECONDS)
    assert worker.call(abs, -1, seconds=SECONDS) == 1


def test_result_that_cannot_be_sent_is_an_error_not_a_wait():
    with pytest.raises(PolypipeError, match="ended with code 1"):
        Worker().call(unpicklable, seconds=SECONDS)


def test_second_call_meanwhile_is_refused_at_once(tmp_path):
    worker = Worker()
    os.mkfifo(tmp_path / "end")
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(worker.call, Path.read_text, tmp_path / "end", seconds=SECONDS)
        wait_until(children)
        began = time.monotonic()
        with pytest.raises(WorkerBusy):
            worker.call(abs, -1, seconds=SECONDS)
        assert time.monotonic() - began < 1
        (tmp_path / "end").write_text("now")
        assert first.result() == "now"
    assert children() == []
