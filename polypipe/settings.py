"""Settings: the only reader of the environment and of `.env`. Everything else receives a frozen `Settings`.

The bot's own variable names are accepted too, so that one `.env` serves both programs.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from polypipe.bot_detection import constants, detect, traders
from polypipe.bot_profile import CLASSIC, TRADERS, BotProfile, Chosen, changed
from polypipe.errors import SettingError
from polypipe.files import nearest, replace_file
from polypipe.setting_sources import BOT, COMMAND_LINE, DEFAULT, SIMULATED, bot_names, look_up, read_layers
from polypipe.variables import VARIABLES
from polypipe.wallets import Wallets

HISTORY = timedelta(days=90)
"""How far history goes back by default."""


@dataclass(frozen=True)
class Settings:
    """All settings, validated.

    `bot_profile` is what POLYPIPE_BOT_PROFILE says, else what the bot's directory shows, else the default.
    `sources` maps each field to its source: `command line`, `demo` (the file in its home), `environment`, `.env`,
    `the bot` or `default`.
    """

    copier_address: str | None
    whale_address: str | None
    copier_label: str
    whale_label: str
    scaling_ratio: float
    home: Path
    bot_dir: Path
    bot_profile: BotProfile
    gamma_url: str
    data_url: str
    pnl_url: str
    clob_url: str
    dashboard_host: str
    dashboard_port: int
    dashboard_token: str | None = field(repr=False)
    webserver_port: int
    webserver_read_only: bool
    postgres_url: str | None = field(repr=False)
    webserver_name: str | None
    tennis_scope: str
    snapshot_seconds: int
    history_start: date
    alert_urls: tuple[str, ...] = field(repr=False)
    ping_url: str | None = field(repr=False)
    backups: int
    simulated: bool
    sources: Mapping[str, str] = field(repr=False, compare=False)

    @property
    def wallets(self) -> Wallets | None:
        """The pair to compare; None until both addresses are set (see `wallets_missing`)."""
        if self.copier_address is None or self.whale_address is None:
            return None
        return Wallets(self.copier_address, self.whale_address, self.scaling_ratio, self.bot_profile)

    @property
    def wallets_missing(self) -> str:
        """Which variables to set while `wallets` is None: one line for people."""
        missing = [
            " (or ".join(variable.names) + ")"
            for variable in VARIABLES
            if variable.field in ("copier_address", "whale_address") and getattr(self, variable.field) is None
        ]
        return f"no wallets to compare: set {' and '.join(missing)}"

    def to_env(self) -> dict[str, str]:
        """The settings as variables for child processes, without unset ones.

        A ratio and a profile that are not set are left out: the child looks at the bot's directory itself.
        """
        env = {}
        for variable in VARIABLES:
            value = getattr(self, variable.field)
            of_bot = variable.field in ("bot_profile", "scaling_ratio") and self.sources[variable.field] == DEFAULT
            if value not in (None, "", ()) and not of_bot:
                env[variable.names[0]] = variable.show(value)
        return env


def load_settings(
    environ: Mapping[str, str] | None = None,
    dotenv: Path | None = None,
    overrides: Mapping[str, str] | None = None,
) -> Settings:
    """Read every setting: the command line first, then the environment, then `.env`, then the default.

    In the demo's home, the settings that the demo left there precede the environment. An empty value counts as unset,
    except on the command line and in the demo's file, where it clears the setting. `environ` defaults to the process
    environment, `dotenv` to `.env` in the working directory; `overrides` maps our variable names to text. Raises
    `SettingError` for the first bad value.
    """
    layers = read_layers(environ, dotenv, overrides)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for variable in VARIABLES:
        text, name, source = look_up(variable, layers)
        sources[variable.field] = source
        try:
            cleared = text == "" and variable.default is None
            values[variable.field] = None if text is None or cleared else variable.parse(text)
        except (ValueError, KeyError):
            hide = variable.secret or "@" in (text or "")  # https://user:password@host
            shown = "the value given (not shown: it may hold a secret)" if hide else repr(text)
            raise SettingError(f"{name}: {shown} is not {variable.allowed} (from {source})") from None

    values["home"] = values["home"].absolute()
    values["bot_dir"] = (values["bot_dir"] or values["home"] / "bot").absolute()
    for variable in VARIABLES:
        if variable.field in ("home", "bot_dir") and not nearest(values[variable.field]).is_dir():
            path, source = str(values[variable.field]), sources[variable.field]
            raise SettingError(
                f"{variable.names[0]}: {path!r} is not a directory, old or new: a file is there (from {source})"
            )
    if values["whale_label"] is None:
        values["whale_label"] = short_address(values["whale_address"]) or "whale"
    values["history_start"] = values["history_start"] or datetime.now(UTC).date() - HISTORY
    whale, bot_dir, named = values["whale_address"], values["bot_dir"], bot_names(layers)
    values["bot_profile"], known = _profile(values["bot_profile"], bot_dir, named, whale)
    if sources["bot_profile"] == DEFAULT and known:
        sources["bot_profile"] = BOT
    if sources["scaling_ratio"] == DEFAULT:
        values["scaling_ratio"] = values["bot_profile"].ratio
    assert set(values) | {"sources"} == {f.name for f in fields(Settings)}
    return Settings(**values, sources=sources)


def _profile(chosen: Chosen | None, bot_dir: Path, named: Mapping[str, str], whale: str | None) -> tuple[BotProfile, bool]:
    """The profile in force, and whether it differs from the default. `named`: the bot's own settings.

    Highest precedence first: POLYPIPE_BOT_PROFILE, the bot's settings, the constants in its source, the program's defaults.
    """
    profile = chosen.profile if chosen else detect(bot_dir).profile or CLASSIC
    found = changed(profile, {**constants(bot_dir), **named})
    if profile == TRADERS:
        floor = next((trader.min_shares for trader in traders(bot_dir) if trader.address == whale), 0.0)
        found = replace(found, floor_shares=floor or found.floor_shares)
    if chosen:
        found = replace(found, **dict(chosen.changes))
    return found, found != CLASSIC


def short_address(address: str | None) -> str | None:
    """`0xa1a1…a1a1` for a wallet address, None for None."""
    return f"{address[:6]}…{address[-4:]}" if address else None


def mark_simulated(settings: Settings) -> None:
    """Write the settings from the demo's command line into its home; `load_settings` reads them from there."""
    env = settings.to_env()
    given = [v.names[0] for v in VARIABLES if settings.sources[v.field] == COMMAND_LINE and v.field != "home"]
    replace_file(settings.home / SIMULATED, json.dumps({name: env.get(name, "") for name in given}, indent=1).encode())
