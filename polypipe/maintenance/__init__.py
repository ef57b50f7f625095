"""Upkeep: what keeps a home small and safe over months. The daily pruning, backups, and their restoration."""
