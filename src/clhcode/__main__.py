"""The command `clh`: runs a command and turns what goes wrong into one line and a code."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

import click

from clhcode.errors import DONE, INTERRUPTED, WRONG_COMMAND, NobodyReadsError, UserError

_TERMINATED = 143  # and for one that SIGTERM ended
_BROKEN_PIPE = 141  # what a shell reports for a process that SIGPIPE ended


def main(arguments: list[str] | None = None) -> int:  # noqa: PLR0911 - one a way to end
    """Runs the command line.

    Returns:
        The exit code: 0 done, 1 some rows failed, 2 the command was wrong, 130 interrupted.
    """
    from clhcode.cli.main import cli

    _settle()
    try:
        code = cli.main(arguments, prog_name="clh", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else DONE
    except UserError as error:
        return _say(str(error), error.code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return WRONG_COMMAND
    except click.ClickException as error:
        context: click.Context | None = getattr(error, "ctx", None)
        hint = f" (`{context.command_path} --help`)" if context else ""
        return _say(f"{error.format_message()}{hint}", WRONG_COMMAND)
    except (KeyboardInterrupt, click.Abort):
        return _say("stopped", INTERRUPTED)
    except (NobodyReadsError, BrokenPipeError):
        return _unread()
    except SystemExit as end:
        # How click ends when it meets a closed pipe by itself, as in `clh --help | true`.
        if "PacifyFlush" in type(sys.stdout).__name__:
            return _unread()
        return end.code if isinstance(end.code, int) else WRONG_COMMAND
    except OSError as error:
        # Such as a full disk; the system's own words hold no note.
        name = error.filename or "standard output"
        return _say(f"{name}: {error.strerror or type(error).__name__}", WRONG_COMMAND)
    except Exception as error:
        if os.environ.get("CLH_DEBUG"):
            raise
        # The exception's text may quote a note, so only its kind is said.
        kind = type(error).__name__
        return _say(f"a bug in clh ({kind}); `CLH_DEBUG=1` shows where", WRONG_COMMAND)


def _settle() -> None:
    """Stands in for streams that are closed, and lets a plain kill clean up after itself."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115

    def end(*_: object) -> None:
        raise SystemExit(_TERMINATED)

    with suppress(ValueError):
        signal.signal(signal.SIGTERM, end)


def _unread() -> int:
    """Nobody reads any more; the interpreter's own last flush must not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    return _BROKEN_PIPE


def _say(message: str, code: int) -> int:
    # A name in a message may come from a file: nothing in it may steer the terminal.
    shown = "".join(char if char.isprintable() else "?" for char in message)
    click.echo(f"clh: {shown}", err=True)
    return code


def run() -> None:
    """The entry point of the installed command."""
    sys.exit(main())


if __name__ == "__main__":
    run()
