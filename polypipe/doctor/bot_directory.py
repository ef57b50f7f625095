"""Check of the bot's directory."""

import os
import stat
import tempfile

from polypipe.doctor.inputs import Inputs
from polypipe.doctor.result import Result, error, ok, skipped, warning
from polypipe.files import flush, nearest


def check_directory(inputs: Inputs) -> Result:
    """The bot's directory exists and is writable; tried with a temp file of our own name."""
    path = inputs.settings.bot_dir
    name = "bot directory"
    if inputs.settings.sources.get("bot_dir") == "default":
        advice = "set POLYPIPE_BOT_DIR to where the bot runs, or link the files there"
        where = f"{path} (inside POLYPIPE_HOME, where no bot runs)"
    else:
        advice, where = "", str(path)
    try:
        kind = path.stat()
    except FileNotFoundError:
        if not os.access(nearest(path), os.W_OK | os.X_OK):
            return error(name, f"{path} does not exist and cannot be created in {nearest(path)}", "create it")
        if not advice:  # set explicitly: more likely a typo than a bot yet to be installed
            return warning(
                name,
                f"{path} does not exist: polypipe would create it, and a bot that runs elsewhere would not read it",
                "set POLYPIPE_BOT_DIR to the directory where the bot runs, or create this one",
            )
        return skipped(name, f"{where} does not exist yet; the first start creates it", advice)
    except OSError as failure:
        return error(name, f"{path} cannot be read: {failure.strerror}", f"give this user access to {path}")
    if not stat.S_ISDIR(kind.st_mode):
        return error(name, f"{path} is not a directory", "set POLYPIPE_BOT_DIR to the directory where the bot runs")
    try:
        with tempfile.NamedTemporaryFile(dir=path, prefix=".polypipe-doctor.", suffix=".tmp") as probe:
            probe.write(b"probe")
            probe.flush()
            flush(probe.fileno())
    except OSError as failure:
        what = f"{path} is not writable: {failure.strerror}"
        return error(name, what, f"make it writable for uid {os.getuid()}, or free space")
    return ok(name, f"{where} is writable", [advice] if advice else [])
