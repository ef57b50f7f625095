"""The ratio that the copier's fills show, against the ratio in force. Pure."""

LEAST_RATIO_PAIRS = 20
"""Minimum pairs for a realised ratio."""

RATIO_TOLERANCE = 0.05
"""Tolerated relative difference from the ratio in force: orders are rounded down to hundredths of a share."""


def ratio_warning(realised: float | None, pairs: int | None, setting: float | None) -> str | None:
    """Warning if the copier's fills show another ratio than the setting; None if they agree or are too few."""
    if (
        realised is None
        or not setting
        or not pairs
        or pairs < LEAST_RATIO_PAIRS
        or abs(realised / setting - 1) <= RATIO_TOLERANCE
    ):
        return None
    return (
        f"the copier's fills show a ratio of {realised:.4g} (median of {pairs} pairs), the setting is {setting:.4g}; "
        "check that POLYPIPE_SCALING_RATIO is the bot's ratio"
    )
