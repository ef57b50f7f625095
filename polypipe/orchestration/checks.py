"""How asset checks of all subjects tell what they found."""

from typing import Any

import dagster as dg


def check_result(name: str, passed: bool, text: str, error: bool = False, **metadata: Any) -> dg.AssetCheckResult:
    """A result in words. A failure is a warning, unless `error`."""
    severity = dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(check_name=name, passed=passed, severity=severity, description=text, metadata=metadata)
