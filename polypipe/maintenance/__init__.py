"""Maintenance: the nightly upkeep that keeps a home small, backups, and restoring them."""
