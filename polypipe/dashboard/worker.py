"""A process for work that needs much memory or time: it returns both when it ends.

Each call starts a process of its own, so nothing waits idle between calls, and a call that hangs or dies takes nothing
with it.
"""

import signal
import threading
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from polypipe.errors import PolypipeError

T = TypeVar("T")


class WorkerBusy(PolypipeError):
    """Another call is running."""


class WorkerTimeout(PolypipeError):
    """The call took too long and was killed."""


class Worker:
    """Runs one call at a time in a process that is spawned for it."""

    def __init__(self) -> None:
        self._free = threading.Lock()

    def call(self, function: Callable[..., T], *arguments: object, seconds: float) -> T:
        """The result of the function, which must be importable by name, as the arguments and the result must pickle.

        Raises what the function raises, `WorkerBusy` at once if another call is running, `WorkerTimeout` after
        `seconds`, and `PolypipeError` if the process dies.
        """
        if not self._free.acquire(blocking=False):  # a waiting caller would hold a thread that other answers need
            raise WorkerBusy("another call is running")
        try:
            succeeded, result = _run(function, arguments, seconds)
        finally:
            self._free.release()
        if not succeeded:
            raise result
        value: T = result
        return value


def _run(function: Callable[..., object], arguments: tuple[object, ...], seconds: float) -> tuple[bool, Any]:
    context = get_context("spawn")  # a fork of a process with threads may hang
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(sender, function, arguments), daemon=True)
    with receiver:
        with sender:
            process.start()
        try:
            if not receiver.poll(seconds):
                raise WorkerTimeout(f"no answer in {seconds:g} s")
            answer: tuple[bool, Any] = receiver.recv()
        except EOFError:
            process.join()
            raise PolypipeError(f"the worker process ended with code {process.exitcode}") from None
        finally:
            process.kill()
            process.join()
            process.close()
    return answer


def _serve(sender: Connection, function: Callable[..., object], arguments: tuple[object, ...]) -> None:
    """In the new process: send (True, result) or (False, exception)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal: the server ends this one
    try:
        answer: tuple[bool, object] = True, function(*arguments)
    except Exception as error:
        answer = False, error
    sender.send(answer)
