"""Limits on user input, the same on the command line and in the dashboard.

Imports nothing: every command imports it at start-up.
"""

FIRST_YEAR, LAST_YEAR = 2000, 2200
"""Years that a day or an instant may have."""

MOST_SHARES, MOST_FACTOR = 1e9, 100.0
"""The largest floor or tier in shares, and the largest ratio or tier factor."""
