"""Reads the bot's logs into tables as they grow. Never writes to the bot's files."""
