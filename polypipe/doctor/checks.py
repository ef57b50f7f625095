"""The list of checks, in the order of the report, and how they run."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from polypipe.doctor import (
    alerting,
    bot_directory,
    bot_files,
    bot_hearing,
    bot_rule,
    configuration,
    dagster_storage,
    gamma_contract,
    hosts,
    machine,
    ports,
    ratio,
    versions,
    wallet_contract,
    wallets,
)
from polypipe.doctor import database as stored
from polypipe.doctor.inputs import Inputs
from polypipe.doctor.network import DEADLINE_SECONDS, ask_all
from polypipe.doctor.result import Result, error, skipped, unknown
from polypipe.errors import SettingError
from polypipe.settings import Settings


@dataclass(frozen=True)
class Check:
    """One check. `name` is reported if the check itself fails; its results have their own names."""

    group: str
    name: str
    run: Callable[[Inputs], Result | Iterable[Result]]


CHECKS = (
    Check("Settings", "settings", configuration.check_settings),
    Check("Settings", ".env", configuration.check_dotenv),
    Check("Wallets", "wallets", wallets.check_wallets),
    Check("Polymarket", "hosts", hosts.check_hosts),
    Check("Polymarket", "announcements", hosts.check_announcements),
    Check("Polymarket", "clock", hosts.check_clock),
    Check("Polymarket", "gamma paging", gamma_contract.check_paging),
    Check("Polymarket", "gamma fields", gamma_contract.check_fields),
    Check("Polymarket", "live filter", gamma_contract.check_live),
    Check("Polymarket", "market versions", gamma_contract.check_versions),
    Check("Polymarket", "tennis types", gamma_contract.check_market_types),
    Check("Polymarket", "data fields", wallet_contract.check_data),
    Check("Polymarket", "user-pnl points", wallet_contract.check_pnl),
    Check("Bot", "bot directory", bot_directory.check_directory),
    Check("Bot", "files", bot_files.check_files),
    Check("Bot", "bot hears the whale", bot_hearing.check_hearing),
    Check("Bot", "bot profile", bot_rule.check_profile),
    Check("Bot", "ratio", ratio.check_ratio),
    Check("Data", "DuckDB file", stored.check_database),
    Check("Data", "published tables", stored.check_published),
    Check("Data", "recovery", stored.check_recovery),
    Check("Data", "backup", stored.check_backup),
    Check("Data", "spool", stored.check_spool),
    Check("Data", "ages", stored.check_ages),
    Check("Machine", "polypipe up", machine.check_servers),
    Check("Machine", "ports", ports.check_ports),
    Check("Machine", "home", machine.check_home),
    Check("Machine", "Dagster's storage", dagster_storage.check_storage),
    Check("Machine", "disk", machine.check_disk),
    Check("Machine", "open files", machine.check_open_files),
    Check("Machine", "alerts", alerting.check_alerts),
    Check("Machine", "versions", versions.check_versions),
)


def examine(
    load: Callable[[], Settings], dotenv: Path, deadline: float = DEADLINE_SECONDS
) -> tuple[Settings | None, list[Result]]:
    """Run all checks. Returns the settings, None if they are invalid, and every result, safe to print.

    `deadline` is the time in seconds for all network requests. Raises nothing.
    """
    try:
        settings = load()
    except SettingError as failure:
        result = error("settings", str(failure), "correct it, then run doctor again: all other checks need the settings")
        rest = [skipped(check.name, "needs the settings") for check in CHECKS[1:]]
        named = zip([result, *rest], CHECKS, strict=True)
        return None, [result.fit(check.group) for result, check in named]
    logging.getLogger("polypipe").addHandler(logging.NullHandler())  # the checks report what goes wrong
    network = ask_all(settings, deadline)
    inputs = Inputs(settings, datetime.now(UTC), dotenv, network)
    return settings, [result for check in CHECKS for result in results_of(check, inputs)]


def results_of(check: Check, inputs: Inputs) -> Iterator[Result]:
    """Run one check; an exception becomes an `unknown` result after the results until then."""
    secrets = configuration.secrets_of(inputs.settings)
    try:
        found = check.run(inputs)
        for result in [found] if isinstance(found, Result) else found:
            yield result.fit(check.group, secrets)
    except Exception as failure:  # of any kind: the other checks must still be reported
        what = f"check failed: {type(failure).__name__}: {failure}"
        yield unknown(check.name, what).fit(check.group, secrets)
