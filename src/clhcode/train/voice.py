"""How a model is spoken to in training: to the token as the runtime does it.

Texts are made by `runtime.template`, and cut into tokens as the engines cut them: a template's
text without further special tokens, plain text after the model's own beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from clhcode.runtime.model import Prompt
from clhcode.runtime.template import ending, spoken
from clhcode.train.wording import Line


@dataclass(frozen=True, slots=True)
class Piece:
    """An example in tokens: what is read, and what is learned to be written after it."""

    read: list[int]
    write: list[int]

    def __len__(self) -> int:
        return len(self.read) + len(self.write)


class Voice:
    """A tokenizer with its chat template, where it has one."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        template = getattr(tokenizer, "chat_template", None)
        self.template: str | None = template if isinstance(template, str) else None
        self._specials = (tokenizer.bos_token or "", tokenizer.eos_token or "")

    @property
    def chat(self) -> bool:
        """Whether the model has a chat template."""
        return self.template is not None

    def text(self, prompt: Prompt) -> str:
        """What the model reads, in words."""
        return spoken(prompt, self.template, self._specials)

    def tokens(self, text: str, *, plain: bool = False) -> list[int]:
        """The tokens of a whole text."""
        begun = self.chat and not plain
        found: list[int] = self.tokenizer.encode(text, add_special_tokens=not begun)
        return found

    def count(self, text: str) -> int:
        """How many tokens a text has, without a beginning."""
        return len(self.tokenizer.encode(text, add_special_tokens=False))

    def split(self, prompt: Prompt, rest: str) -> tuple[list[int], list[int]]:
        """The tokens of a prompt and those of what follows it, as engines rate them."""
        text = self.text(prompt)
        head = self.tokens(text, plain=prompt.plain)
        full = self.tokens(text + rest, plain=prompt.plain)
        if full[: len(head)] == head:
            return head, full[len(head) :]
        return head, self.tokenizer.encode(rest, add_special_tokens=False)

    def piece(self, line: Line) -> Piece:
        """An example in tokens; what is written after the model's turn ends with the turn."""
        head = self.tokens(self.text(line.prompt), plain=line.prompt.plain)
        if not line.ends:
            return Piece(*self.split(line.prompt, line.completion))
        # A model that writes begins after the prompt's own tokens, never in the midst of one.
        rest = self.tokenizer.encode(line.completion, add_special_tokens=False)
        return Piece(head, [*rest, *self.end])

    @cached_property
    def end(self) -> tuple[int, ...]:
        """What ends an answer: as the template ends the assistant's turn, else the text's end."""
        eos = self.tokenizer.eos_token_id
        if self.template is not None:
            after = ending(self.template, self._specials)
            ids = self.tokenizer.encode(after, add_special_tokens=False) if after else []
            if ids:
                return (int(ids[0]),) if self._special(ids[0]) else tuple(ids)
        return (int(eos),) if eos is not None else ()

    def _special(self, token: int) -> bool:
        return token in self.tokenizer.all_special_ids or token in getattr(
            self.tokenizer, "added_tokens_decoder", {}
        )

    def words(self, tokens: Iterable[int]) -> str:
        """Tokens as an engine gives them back: up to the end of the answer, without it."""
        kept: list[int] = []
        stops = self.stops
        for token in tokens:
            if token in stops:
                break
            kept.append(token)
        text: str = self.tokenizer.decode(kept, skip_special_tokens=True)
        return text

    @cached_property
    def stops(self) -> frozenset[int]:
        """Tokens at which an answer is over."""
        eos = self.tokenizer.eos_token_id
        return frozenset(self.end[:1] if len(self.end) == 1 else ()) | (
            {int(eos)} if eos is not None else set()
        )


def finish_of(tokens: Sequence[int], stops: frozenset[int]) -> str:
    """Why an answer ended, in the words of the OpenAI API."""
    return "stop" if any(token in stops for token in tokens) else "length"
