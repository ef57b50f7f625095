"""The gate: one writer at a time, and a writer that waits learns who holds it."""

import json
import os
import time
from pathlib import Path

import duckdb
import pytest

from polypipe.warehouse import Warehouse, WarehouseBusy
from polypipe.warehouse.gate import gate
from polypipe_tests.warehouse.helpers import crawl_ids, spooled, start, write

# Increments a number in a file; overlapping processes would lose increments.
_COUNT = """
import pathlib, sys, time
from polypipe.warehouse.gate import gate
lock, number = map(pathlib.Path, sys.argv[1:])
for _ in range(40):
    with gate(lock, time.monotonic() + 60):
        value = int(number.read_text())
        time.sleep(0.0005)
        number.write_text(str(value + 1))
"""

_HOLD_GATE = """
import pathlib, sys, time
from polypipe.warehouse.gate import gate
with gate(pathlib.Path(sys.argv[1]), time.monotonic() + 60):
    print('held', flush=True)
    sys.stdin.readline()
"""

_HOLD_DATABASE = """
import duckdb, sys
con = duckdb.connect(sys.argv[1])
print('held', flush=True)
sys.stdin.readline()
"""


def test_two_processes_never_hold_the_gate_at_once(tmp_path: Path) -> None:
    number = tmp_path / "number"
    number.write_text("0")
    processes = [start(_COUNT, tmp_path / "lock", number) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    assert number.read_text() == "160"


def test_a_held_gate_names_its_holder_and_keeps_the_rows_in_the_spool(wh: Warehouse) -> None:
    wh.merge()
    holder = start(_HOLD_GATE, wh.layout.lock)
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    batch_id = write(wh, "c1")
    with pytest.raises(WarehouseBusy) as caught:
        wh.merge(wait=0.1, own=batch_id)
    message = str(caught.value)
    assert "\n" not in message
    assert f"polypipe.lock is held by pid {holder.pid} (" in message
    assert "import gate" in message  # its command line
    assert "stay in the spool" in message
    assert caught.value.waited >= 0.1
    assert spooled(wh) == [batch_id]
    assert crawl_ids(wh, pending=True) == ["c1"]

    holder.kill()  # the kernel releases the locks of a killed process
    holder.wait()
    assert wh.merge(own=batch_id).merged == [batch_id]
    assert crawl_ids(wh) == ["c1"]


def test_a_waiting_writer_proceeds_when_the_holder_leaves(wh: Warehouse) -> None:
    wh.layout.make()
    holder = start(_HOLD_GATE, wh.layout.lock)
    assert holder.stdin
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    code = (
        "import pathlib, sys\nfrom polypipe_tests.warehouse.helpers import write, Warehouse\n"
        "wh = Warehouse(pathlib.Path(sys.argv[1])); write(wh, 'c1'); print('waiting', flush=True); wh.merge(60)"
    )
    writer = start(code, wh.layout.home)
    assert writer.stdout
    assert writer.stdout.readline() == "waiting\n"
    holder.stdin.close()
    assert holder.wait(60) == 0
    assert writer.wait(60) == 0
    assert crawl_ids(wh) == ["c1"]


def test_an_open_database_names_the_process_that_holds_it(wh: Warehouse) -> None:
    wh.merge()
    holder = start(_HOLD_DATABASE, wh.layout.database)
    assert holder.stdin
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    batch_id = write(wh, "c1")
    with pytest.raises(WarehouseBusy, match=rf"polypipe\.duckdb is held by pid {holder.pid} \(.*import duckdb"):
        wh.merge(wait=0.1)
    # Readers never open the live file, so its holder does not block them.
    assert crawl_ids(wh, pending=True) == ["c1"]
    assert crawl_ids(wh) == []
    holder.stdin.close()
    holder.wait(60)
    assert wh.merge().merged == [batch_id]


def test_a_database_open_in_this_process_is_reported_as_such(wh: Warehouse) -> None:
    wh.merge()
    batch_id = write(wh, "c1")
    with (
        duckdb.connect(str(wh.layout.database), read_only=True),
        pytest.raises(WarehouseBusy, match=f"this process \\(pid {os.getpid()}\\)"),
    ):
        wh.merge(wait=0.1)
    assert wh.merge().merged == [batch_id]


def test_other_database_errors_are_raised_without_waiting(wh: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    wh.merge()
    batch_id = write(wh, "c1")

    def refused(*_args: object, **_options: object) -> None:
        raise duckdb.IOException("IO Error: Cannot open file: Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(duckdb, "connect", refused)
        with pytest.raises(duckdb.IOException, match="Permission denied"):
            wh.merge(wait=60)
    assert spooled(wh) == [batch_id]
    assert not wh.layout.damaged.exists()  # it is not taken for damage


def test_the_lock_file_names_the_holder_and_since_when(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with gate(lock, time.monotonic()):
        held = json.loads(lock.read_text())
        assert held["pid"] == os.getpid()
        assert held["since"].endswith("Z")
        with pytest.raises(WarehouseBusy, match=rf"pid {os.getpid()} \("), gate(lock, time.monotonic()):
            pass
    assert lock.read_text() == ""
    with pytest.raises(RuntimeError), gate(lock, time.monotonic()):
        raise RuntimeError
    with gate(lock, time.monotonic()):  # the error released it
        pass
