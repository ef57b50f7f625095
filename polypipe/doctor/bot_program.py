"""What the bot's binaries and sources contain: exchange contracts and constants.

Polymarket moved to new exchange contracts in April 2026 and added one for v2 markets in September. A bot built before
listens to addresses where nothing happens any more; it raises no error and logs nothing.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from polypipe.bot_detection import constants_in
from polypipe.doctor.result import Result, error

# Polygon addresses, lower case. Source: the contracts page of Polymarket's documentation and its official client.
RETIRED = {
    "4bfb41d5b3570defd03c39a9a4d8de6bd8b8982e": "CTF Exchange (v1)",
    "c5d563a36ae78145c45a50134d48a1215220f80a": "Neg Risk CTF Exchange (v1)",
}
CURRENT = {
    "e111180000d2663c0091e4f400237545b87b996b": "CTF Exchange V2",
    "e2222d279d744050d28e00520010520000310f59": "Neg Risk CTF Exchange V2",
}
OF_V2_MARKETS = {"e3333700ca9d93003f00f0f71f8515005f6c00aa": "Exchange V3, of v2 markets"}
RETIRED_ON = "2026-04-28"

MAX_FILES, MAX_BYTES = 500, 200_000_000
_ADDRESS = re.compile(rb"(?i)" + b"|".join(address.encode() for address in (*RETIRED, *CURRENT, *OF_V2_MARKETS)))


@dataclass
class Named:
    """Exchange contracts by file, and the constants of the source as text."""

    contracts: dict[str, set[str]] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)

    @property
    def addresses(self) -> set[str]:
        """The contracts of all files."""
        return set().union(*self.contracts.values())


def judge_contracts(named: Named) -> Result | None:
    """An error if the bot's files contain retired contracts only, else None."""
    addresses = named.addresses
    if not addresses & RETIRED.keys() or addresses & (CURRENT.keys() | OF_V2_MARKETS.keys()):
        return None
    files = [file for file, found in named.contracts.items() if found & RETIRED.keys()]
    return error(
        "bot hears the whale",
        f"{files[0]} contains only exchange contracts that were retired on {RETIRED_ON} and fill nothing any more",
        f"update the bot: it must listen to {sentence(CURRENT | OF_V2_MARKETS)}, whose OrderFilled event differs too",
        [f"retired: 0x{address} {RETIRED[address]}" for address in sorted(addresses & RETIRED.keys())],
    )


def read_named(directory: Path) -> Named:
    """Search the bot's Rust sources (`src/`) and binaries. Opens nothing else, and never a `.env`."""
    named = Named()
    for path in _programs_and_sources(directory):
        try:
            if path.stat().st_size > MAX_BYTES:
                continue
            content = path.read_bytes()
        except OSError:  # removed meanwhile, or not readable for us
            continue
        found = {match.group().decode().lower() for match in _ADDRESS.finditer(content)}
        found |= {address for address in (*RETIRED, *CURRENT, *OF_V2_MARKETS) if bytes.fromhex(address) in content}
        if found:
            named.contracts[str(path.relative_to(directory))] = found
        if path.suffix == ".rs":
            named.constants.update(constants_in(content.decode("utf-8", "replace")))
    return named


def _programs_and_sources(directory: Path) -> Iterator[Path]:
    seen = 0
    for folder, folders, files in os.walk(directory / "src"):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(".rs") and not name.startswith(".") and seen < MAX_FILES:
                seen += 1
                yield Path(folder) / name
    for programs in (directory, directory / "target" / "release"):
        try:
            entries = sorted(programs.iterdir())
        except OSError:
            continue
        for path in entries:
            if not path.name.startswith(".") and path.is_file() and os.access(path, os.X_OK) and _is_program(path):
                yield path


def _is_program(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) in (b"\x7fELF", b"\xcf\xfa\xed\xfe")
    except OSError:
        return False


def sentence(contracts: Mapping[str, str]) -> str:
    """`CTF Exchange V2 0xe111..., Neg Risk ...`."""
    return ", ".join(f"{name} 0x{address}" for address, name in contracts.items())
