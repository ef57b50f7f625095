"""Fixtures of the maintenance tests."""

from polypipe_tests.postgres import postgres_url as postgres_url
