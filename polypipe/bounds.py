"""Bounds of what people may ask for, the same on the command line and on the page.

Imports nothing: every command imports it, before it is known which of them runs.
"""

FIRST_YEAR, LAST_YEAR = 2000, 2200
"""Years of a day or an instant."""

MOST_SHARES, MOST_FACTOR = 1e9, 100.0
"""The largest floor or tier, and the largest factor of a tier."""
