"""What a user is told when something cannot be done, and the exit codes."""

from __future__ import annotations

DONE = 0
SOME_ROWS_FAILED = 1
WRONG_COMMAND = 2
INTERRUPTED = 130


class UserError(Exception):
    """A mistake or lack the user can mend: one line that says what, where and what to type.

    Attributes:
        code: The exit code of the process.
    """

    def __init__(self, message: str, code: int = WRONG_COMMAND) -> None:
        super().__init__(message)
        self.code = code


class NobodyReadsError(Exception):
    """The reader of standard output has gone away; no mistake of anybody."""


class UnfinishedError(UserError):
    """A run broke off that the same command goes on with; the message says so."""


class EngineGoneError(UnfinishedError):
    """The engine can answer nothing any more: its server is gone, or refuses the key."""


class StoppedError(UnfinishedError):
    """Ctrl-C in such a run."""

    def __init__(self, message: str) -> None:
        super().__init__(message, INTERRUPTED)
