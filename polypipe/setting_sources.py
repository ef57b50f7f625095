"""Where settings come from: the environment, `.env`, and the file that the demo leaves in its home.

Lines of `.env` with other names (the bot's secrets) are dropped unparsed and never enter the process.
"""

import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from dotenv.parser import parse_stream

from polypipe.errors import SettingError
from polypipe.variables import BOT_NAMES, NAMES, PREFIX, VARIABLES, Variable, directory

COMMAND_LINE, ENVIRONMENT, DOTENV, DEMO, DEFAULT = "command line", "environment", ".env", "demo", "default"
BOT = "the bot"
"""Source of a profile that the bot's directory or its own settings show."""

SIMULATED = "SIMULATED"
"""File in the demo's home with the settings that keep every command on that home away from real hosts and files."""

Layers = list[tuple[str, Mapping[str, str]]]
"""Setting sources, highest precedence first: name and variables."""


def read_layers(
    environ: Mapping[str, str] | None = None, dotenv: Path | None = None, overrides: Mapping[str, str] | None = None
) -> Layers:
    """All sources. The demo's file, if the home has one, precedes everything but the command line.

    Raises `SettingError` for a source that cannot be read.
    """
    layers: Layers = [
        (COMMAND_LINE, dict(overrides or {})),
        (ENVIRONMENT, os.environ if environ is None else environ),
        (DOTENV, _read_dotenv(Path(".env") if dotenv is None else dotenv)),
    ]
    layers.insert(1, (DEMO, _read_demo(layers)))
    return layers


def look_up(variable: Variable, layers: Layers) -> tuple[str | None, str, str]:
    """Returns text, name and source of a variable; an empty text counts as unset, but clears on the command line."""
    for source, layer in layers:
        for name in variable.names:
            text = layer.get(name, "").strip()
            if text or (source in (COMMAND_LINE, DEMO) and name in layer):
                return text, name, source
    return variable.default, variable.names[0], DEFAULT


def bot_names(layers: Layers) -> dict[str, str]:
    """The bot's own settings in the environment and `.env`, name -> text; empty in the demo's home."""
    if any(source == DEMO and layer for source, layer in layers):
        return {}
    found: dict[str, str] = {}
    for _, layer in layers:
        for name in BOT_NAMES:
            if text := layer.get(name, "").strip():
                found.setdefault(name, text)
    return found


def unknown_names(dotenv: Path, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns unknown names that begin with POLYPIPE_, each with its source (`environment` or `.env`).

    `load_settings` ignores them, so a setting whose name is misspelt keeps its default. Only names are read. The
    arguments are those of `load_settings`. Raises `SettingError` for a `.env` that cannot be read.
    """
    named = _assignment(rf"{PREFIX}\w*")
    in_file = [match[1] for line in _lines(dotenv) if (match := named.match(line))]
    everything = os.environ if environ is None else environ
    in_environment = [name for name in everything if re.fullmatch(rf"{PREFIX}\w*", name)]
    found = dict.fromkeys(in_file, DOTENV) | dict.fromkeys(in_environment, ENVIRONMENT)
    return {name: source for name, source in sorted(found.items()) if name not in NAMES}


def _read_demo(layers: Layers) -> dict[str, str]:
    """The settings in the demo's file of the home that the layers name; empty for any other home."""
    (home,) = (variable for variable in VARIABLES if variable.field == "home")
    text, _, _ = look_up(home, layers)
    try:
        path = directory(text or "") / SIMULATED
    except ValueError:
        return {}  # `load_settings` reports it with the variable's name
    try:
        found = json.loads(path.read_bytes() or b"{}")  # earlier versions left it empty
        return {"POLYPIPE_SIMULATED": "1"} | {name: str(value) for name, value in found.items()}
    except OSError:
        return {}  # missing, or an unreadable home, which every command reports on its own
    except (ValueError, AttributeError):
        why = f"is not as `polypipe demo` writes it: delete {path.parent}, which holds simulated data only"
        raise SettingError(f"{path} {why}") from None


def _assignment(names: str) -> re.Pattern[str]:
    """Matches a line of `.env` that sets one of `names` (a regular expression), which is group 1."""
    return re.compile(rf"\s*(?:export\s+)?({names})\s*=")


def _lines(path: Path) -> Iterator[str]:
    """The lines of a `.env`; none for a missing file."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as lines:  # editors on Windows write a byte order mark
            for line in lines:
                if "\0" in line:
                    raise SettingError(f".env: {path} is not valid UTF-8; save it as UTF-8")
                yield line
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise SettingError(f".env: {path} cannot be read: {error.strerror}") from None


def _read_dotenv(path: Path) -> dict[str, str]:
    """Our variables from a `.env`; empty for a missing file."""
    ours = _assignment("|".join(NAMES | BOT_NAMES))
    kept = [line for line in _lines(path) if ours.match(line)]
    found = {}
    for pair in parse_stream(io.StringIO("".join(kept))):
        if pair.error:  # skipped, it would silently keep its default; the value may be a secret and is not shown
            name = ours.match(pair.original.string)
            raise SettingError(f"{name[1] if name else '.env'}: its line in {path} is not NAME=value: a quote not closed?")
        if pair.key and pair.value:
            found[pair.key] = pair.value
    return found
