"""Alerts: what is wrong, told once to the user's channels, and told when it is over. `tick.py` puts the parts together."""

SENSOR = "alerts"
"""Name of the sensor whose ticks judge the alerts."""
