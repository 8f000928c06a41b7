"""A model's own chat template: what makes messages the text that it was trained on."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from clhcode.errors import UserError
from clhcode.runtime.model import Prompt

if TYPE_CHECKING:
    from jinja2 import Template

_ANSWER = "(the answer)"


def spoken(prompt: Prompt, template: str | None, specials: tuple[str, str] = ("", "")) -> str:
    """The text that a model reads for a prompt.

    Args:
        prompt: What is asked.
        template: The model's chat template; None for a base model, which gets plain text.
        specials: How the model writes the beginning and the end of a text.

    Raises:
        UserError: The template cannot be rendered.
    """
    if prompt.plain:
        return prompt.user + prompt.answer
    if template is None:
        # A line of its own: behind a blank, the answer's first token would be no usual one.
        return f"{prompt.system}\n\n{prompt.user}\nAnswer:\n{prompt.answer}"
    from jinja2 import TemplateError

    values = {
        "add_generation_prompt": True,
        "bos_token": specials[0],
        "eos_token": specials[1],
        # Models that think unless told otherwise: thought is asked for in so many words.
        "enable_thinking": False,
    }
    try:
        text: str = _compiled(template).render(messages=messages(prompt), **values)
    except TemplateError:
        # Some templates know no system text: it goes before the question.
        try:
            text = _compiled(template).render(messages=messages(prompt, merged=True), **values)
        except TemplateError as error:
            raise UserError(f"the model's chat template fails: {error}") from None
    return text + prompt.answer


def ending(template: str, specials: tuple[str, str] = ("", "")) -> str:
    """What a chat template writes after an answer; nothing where it does not tell.

    Args:
        template: The model's chat template.
        specials: How the model writes the beginning and the end of a text.
    """
    from jinja2 import TemplateError

    turns = [
        {"role": "user", "content": "question"},
        {"role": "assistant", "content": _ANSWER},
    ]
    values = {"bos_token": specials[0], "eos_token": specials[1], "add_generation_prompt": False}
    try:
        text: str = _compiled(template).render(messages=turns, **values)
    except TemplateError:
        return ""
    return text.rpartition(_ANSWER)[2].rstrip() if _ANSWER in text else ""


def messages(prompt: Prompt, *, merged: bool = False) -> list[dict[str, str]]:
    """Chat messages, without how the answer begins.

    Args:
        prompt: What is asked.
        merged: Put the system text into the user's message.
    """
    if not prompt.system or merged:
        text = f"{prompt.system}\n\n{prompt.user}" if prompt.system else prompt.user
        return [{"role": "user", "content": text}]
    return [
        {"role": "system", "content": prompt.system},
        {"role": "user", "content": prompt.user},
    ]


@cache
def _compiled(template: str) -> Template:
    """As transformers compiles it (`utils/chat_template_utils.py`)."""
    import json

    from jinja2 import TemplateError
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def fail(message: str) -> None:
        raise TemplateError(message)

    def tojson(value: Any, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=False, indent=indent)

    def now(form: str) -> str:
        import time

        return time.strftime(form)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = fail
    environment.globals["strftime_now"] = now
    try:
        return environment.from_string(template)
    except TemplateError as error:
        raise UserError(f"the model's chat template cannot be read: {error}") from None
