"""The base of every error that polypipe raises on purpose. Imports nothing."""


class PolypipeError(Exception):
    """An error whose text is written for people.

    `message` is one line: what happened to which thing, with the value or the limit. `hint` says what to do, or is None
    when the message does. `str()` has both on one line, for logs. Commands print each on a line of its own and exit with
    code 1; only an error that some caller handles in its own way has a subclass.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class SettingError(PolypipeError):
    """A setting has a value that is not allowed; the message names the variable, the value and what is allowed."""
