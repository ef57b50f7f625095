"""`python -m polypipe.runtime.supervise CONFIG`: the supervisor, with secrets that reach only the programs that need them.

They arrive on stdin as JSON, `{program: {variable: value}}`, and are kept in memory: an environment of the supervisor's own
would be inherited by every program and could be read in /proc.
"""

import contextlib
import json
import sys

from supervisor import loggers
from supervisor.options import ServerOptions
from supervisor.supervisord import go

_tell = loggers.Handler.handleError


def main(config: str) -> None:
    """Run every program of the configuration until SIGTERM."""
    secrets: dict[str, dict[str, str]] = json.load(sys.stdin)
    options = ServerOptions()
    options.realize(["-c", config])
    options.first, options.test = True, False
    for group in options.process_group_configs:
        for process in group.process_configs:
            process.environment = {**(process.environment or {}), **secrets.get(process.name, {})}
    loggers.Handler.handleError = _tell_if_possible
    go(options)


def _tell_if_possible(handler: loggers.Handler) -> None:
    """A log that cannot be written is told on stderr, which may be a file on the same full disk.

    An error here has the supervisor read no more of that program's output: it hangs as soon as the pipe is full.
    """
    with contextlib.suppress(OSError):
        _tell(handler)


if __name__ == "__main__":
    main(sys.argv[1])
