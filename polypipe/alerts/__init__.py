"""Alerts: failing findings sent once to the user's channels, and their recovery. `tick.py` puts the parts together."""

SENSOR = "alerts"
"""Name of the sensor whose ticks evaluate the alerts."""
