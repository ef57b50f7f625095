"""The ratio that the copier's fills show, against the ratio in force. Pure."""

LEAST_RATIO_PAIRS = 20
"""Below so many pairs the realised ratio says nothing."""

RATIO_TOLERANCE = 0.05
"""Share by which the realised ratio may differ from the one in force: orders are rounded down to hundredths."""


def ratio_warning(realised: float | None, pairs: int | None, setting: float) -> str | None:
    """What to say when the copier's fills show another ratio than the one set; None when they agree or do not tell."""
    if realised is None or not pairs or pairs < LEAST_RATIO_PAIRS or abs(realised / setting - 1) <= RATIO_TOLERANCE:
        return None
    return (
        f"the copier's fills show a ratio of {realised:.4g} (median of {pairs} pairs), the one in force is {setting:.4g}: "
        "is POLYPIPE_SCALING_RATIO that of the bot?"
    )
