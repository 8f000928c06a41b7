"""What a model answered, kept in one SQLite file so that no question is asked twice."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from dataclasses import asdict
from pathlib import Path

import orjson

from clhcode.errors import UserError
from clhcode.runtime.model import Output, Prompt, Rate, Rated, Request, Written


class Answers:
    """A cache of answers; readable by its owner alone, as answers quote notes.

    Several processes may use one file.
    """

    def __init__(self, path: Path, *, only: bool = False) -> None:
        """Opens or makes the file.

        Args:
            path: The file.
            only: Refuse whatever is not in it.

        Raises:
            UserError: It is no file of this kind, or cannot be written.
        """
        self._path, self._only = path, only
        try:
            if not only:
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
                path.chmod(0o600)
            elif not path.is_file():
                raise UserError(f"{path}: there are no answers kept here")
            self._base = sqlite3.connect(path, timeout=60.0, isolation_level=None)
            if not only:
                self._base.execute("PRAGMA journal_mode=WAL")
                self._base.execute("PRAGMA synchronous=NORMAL")
                self._base.execute(
                    "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, output BLOB)"
                )
            self._base.execute("SELECT key FROM answers LIMIT 1").fetchall()
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}") from None
        except sqlite3.DatabaseError as error:
            raise UserError(f"{path}: no file of answers ({error})") from None

    def get(self, key: str) -> Output | None:
        """What was answered, or None.

        Raises:
            UserError: It is not there, and nothing else may be asked.
        """
        row = self._base.execute("SELECT output FROM answers WHERE key = ?", (key,)).fetchone()
        if row is None:
            if self._only:
                raise UserError(f"{self._path}: a question is not among its answers (--cache only)")
            return None
        kept = orjson.loads(row[0])
        return Rated(tuple(kept["logs"])) if "logs" in kept else Written(**kept)

    def put(self, key: str, output: Written | Rated) -> None:
        """Keeps an answer."""
        kept = orjson.dumps(asdict(output))
        self._base.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, kept))

    def close(self) -> None:
        """Lets go of the file."""
        self._base.close()


def key_of(model: str, request: Request) -> str:
    """What makes an answer the same: model, prompt, schema and sampling."""
    if isinstance(request, Rate):
        asked: list[object] = [model, [_read(p) for p in request.prompts], request.endings]
    else:
        sampling, most = asdict(request.sampling), request.most
        asked = [model, _read(request.prompt), request.schema, sampling, most]
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _read(prompt: Prompt) -> list[object]:
    """What of a prompt a model reads."""
    return [prompt.system, prompt.user, prompt.answer, prompt.plain]
