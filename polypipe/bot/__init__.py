"""The bot's own logs: their grammar, and reading them into tables as they grow. Nothing here writes to the bot's files."""
