"""vLLM in this process: continuous batching on a GPU, or on a CPU by its CPU build."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clhcode.errors import UserError
from clhcode.runtime.identity import identity
from clhcode.runtime.model import Output, Prompt, Rate, Rated, Request, Usage, Write, Written
from clhcode.runtime.openai import ServedModel, Speech
from clhcode.runtime.share import shared_server
from clhcode.runtime.template import spoken
from clhcode.tasks import Fault

ADAPTER = "adapter_config.json"
"""What makes a folder a LoRA adapter; it names the model it belongs to."""
WIDTH = 64


@dataclass(slots=True)
class _Rating:
    """Options under way.

    Attributes:
        logs: The sum of each ending so far.
        open: Requests whose answer is not in.
    """

    ticket: int
    logs: list[float]
    open: int = 0


class VllmModel:
    """A Hugging Face folder or hub name in vLLM."""

    def __init__(
        self, model: str, *, context: int | None = None, options: Mapping[str, Any] | None = None
    ) -> None:
        """Loads the model; a folder with a LoRA adapter loads what it adapts beside it.

        Args:
            model: A folder, or a name on the hub.
            context: Tokens of prompt and answer together; the model's own otherwise.
            options: More arguments of `vllm.LLM`, as `tensor_parallel_size`.

        Raises:
            UserError: vLLM is missing, or cannot load the model.
        """
        # Read at import; a run says enough itself.
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        if not _has_cuda():
            os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        try:
            from vllm import LLM
        except ImportError:
            raise UserError("vLLM is not installed: pip install 'clhcode[vllm]'") from None
        base, self._adapter = _adapted(model)
        arguments: dict[str, Any] = {
            "model": base,
            "enable_prefix_caching": True,
            # Blanks at will are what small models lose themselves in.
            "structured_outputs_config": {"backend": "guidance", "disable_any_whitespace": True},
            "seed": 0,
            **({"max_model_len": context} if context else {}),
            **({"enable_lora": True, "max_lora_rank": _rank(model)} if self._adapter else {}),
            **({} if _has_cuda() else _ON_A_CPU),
            **(options or {}),
        }
        try:
            self._llm = LLM(**arguments)
        except (ValueError, OSError, RuntimeError) as error:
            raise UserError(f"vLLM cannot load {model}: {_first_line(error)}") from None
        self._engine = self._llm.llm_engine
        self._tokenizer = self._llm.get_tokenizer()
        self._template: str | None = getattr(self._tokenizer, "chat_template", None)
        self.name = identity(model)
        self.chat = self._template is not None
        self.context: int | None = self._llm.model_config.max_model_len
        self.usage, self.width = Usage(), WIDTH
        self._number = 0
        self._writing: dict[str, int] = {}
        self._rating: dict[str, tuple[_Rating, tuple[int, ...], int]] = {}
        self._done: list[tuple[int, Output]] = []

    @property
    def rating(self) -> str:
        """By what options are rated: base models know no numbers."""
        return "number" if self.chat else "phrase"

    def count(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False))

    def prompt_tokens(self, prompt: Prompt) -> list[int]:
        """What the model reads before it writes; as the tokenizer's own template makes it."""
        specials = (self._tokenizer.bos_token or "", self._tokenizer.eos_token or "")
        text = spoken(prompt, self._template, specials)
        return self._tokens(text, prompt)

    def _tokens(self, text: str, prompt: Prompt) -> list[int]:
        chat = self.chat and not prompt.plain
        tokens: list[int] = self._tokenizer.encode(text, add_special_tokens=not chat)
        return tokens

    def submit(self, ticket: int, request: Request) -> None:
        self.usage.requests += 1
        if isinstance(request, Rate):
            self._rate(ticket, request)
            return
        tokens = self.prompt_tokens(request.prompt)
        room = (self.context or 0) - len(tokens)
        if room <= 0:
            self._done.append((ticket, Fault("too-long", f"a prompt of {len(tokens)} tokens")))
            return
        self._writing[self._add(tokens, _params(request, min(request.most, room)))] = ticket

    def ready(self) -> Iterable[tuple[int, Output]]:
        while not self._done:
            for output in self._engine.step():
                if output.finished:
                    self._finish(output)
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        if self._llm is None:
            return
        self._engine.engine_core.shutdown()
        self._llm = self._engine = None

    def _add(self, tokens: list[int], params: Any) -> str:
        self._number += 1
        name = str(self._number)
        self._engine.add_request(
            name, {"prompt_token_ids": tokens}, params, lora_request=self._adapter
        )
        return name

    def _finish(self, output: Any) -> None:
        sent, cached = len(output.prompt_token_ids), output.num_cached_tokens or 0
        self.usage.sent += sent
        self.usage.evaluated += sent - cached
        answer = output.outputs[0]
        if output.request_id in self._rating:
            self._rated(output)
            return
        self.usage.generated += len(answer.token_ids)
        finish = "stop" if answer.finish_reason == "stop" else "length"
        ticket = self._writing.pop(output.request_id)
        self._done.append((ticket, Written(answer.text, finish)))

    def _rated(self, output: Any) -> None:
        rating, places, begin = self._rating.pop(output.request_id)
        if output.prompt_logprobs is not None:
            tokens = output.prompt_token_ids
            log = sum(
                output.prompt_logprobs[n][tokens[n]].logprob for n in range(begin, len(tokens))
            )
        else:
            (token,) = output.outputs[0].token_ids
            log = output.outputs[0].logprobs[0][token].logprob
        for place in places:
            rating.logs[place] += log
        rating.open -= 1
        if rating.open == 0:
            self._done.append((rating.ticket, Rated(tuple(rating.logs))))

    def _rate(self, ticket: int, request: Rate) -> None:
        """Rates endings in one batch.

        After short prompts each ending is read with its prompt. That leaves the prefix cache
        unused, so after a prompt with notes each token of an ending is a request of its own: it
        must be written there, and its likelihood before that constraint is told.
        """
        heads, rests = zip(*map(self._split, request.prompts, request.endings), strict=True)
        if any(len(h) + len(r) >= (self.context or 0) for h, r in zip(heads, rests, strict=True)):
            self._done.append((ticket, Fault("too-long", "an option does not fit the context")))
            return
        rating = _Rating(ticket, [0.0] * len(rests))
        if request.prompts[0].plain:
            for place, (head, rest) in enumerate(zip(heads, rests, strict=True)):
                name = self._add([*head, *rest], _reading())
                self._rating[name] = (rating, (place,), len(head))
                rating.open += 1
            return
        steps: dict[tuple[tuple[int, ...], int], list[int]] = {}
        for place, (head, rest) in enumerate(zip(heads, rests, strict=True)):
            for n, token in enumerate(rest):
                steps.setdefault(((*head, *rest[:n]), token), []).append(place)
        for (before, token), places in steps.items():
            self._rating[self._add(list(before), _forced(token))] = (rating, tuple(places), 0)
            rating.open += 1

    def _split(self, prompt: Prompt, ending: str) -> tuple[list[int], list[int]]:
        """The tokens of a prompt and those of its ending."""
        head = self.prompt_tokens(prompt)
        specials = (self._tokenizer.bos_token or "", self._tokenizer.eos_token or "")
        full = self._tokens(spoken(prompt, self._template, specials) + ending, prompt)
        if full[: len(head)] == head:
            return head, full[len(head) :]
        return head, self._tokenizer.encode(ending, add_special_tokens=False)


def _reading() -> Any:
    from vllm import SamplingParams

    return SamplingParams(temperature=0.0, max_tokens=1, prompt_logprobs=0, detokenize=False)


def _forced(token: int) -> Any:
    from vllm import SamplingParams

    return SamplingParams(
        temperature=0.0, max_tokens=1, allowed_token_ids=[token], logprobs=0, detokenize=False
    )


class SharedVllm(ServedModel):
    """vLLM behind the server that the stages of a pipe share; named as in process."""

    def __init__(
        self, model: str, *, context: int | None = None, options: Mapping[str, Any] | None = None
    ) -> None:
        """Takes part in the server of a model, or starts it.

        Args:
            model: A folder, or a name on the hub.
            context: Tokens of prompt and answer together; the model's own otherwise.
            options: More arguments of vLLM, as `tensor_parallel_size`.

        Raises:
            UserError: It does not start.
        """
        base, adapter = _adapted_by(model)
        chosen = {
            **({"max_model_len": context} if context else {}),
            **({} if _has_cuda() else _ON_A_CPU),
            **(options or {}),
        }
        arguments = []
        for name, value in chosen.items():
            option = f"--{name.replace('_', '-')}"
            arguments += [option] if value is True else [option, str(value)]
        name = identity(model)
        if adapter:
            arguments += ["--enable-lora", "--max-lora-rank", str(_rank(model))]
            arguments += ["--lora-modules", f"{name}={Path(model).resolve()}"]
        self._shared = shared_server(base, f"{name}-base" if adapter else name, arguments, say)
        super().__init__(self._shared.url, _speech(model, name, base), self._shared.token)

    def close(self) -> None:
        super().close()
        self._shared.close()


def _speech(model: str, name: str, base: str) -> Speech:
    """How the shared server is spoken to: without a template as plain text."""
    return Speech(model=name, side_by_side=WIDTH, plain=not _has_template(base))


def _has_template(base: str) -> bool:
    """Whether a model has a chat template, told from its files.

    transformers' tokenizer would take most of a gigabyte in each stage of a pipe.
    """
    if _published(base, "chat_template.jinja") or _published(base, "chat_template.json"):
        return True
    config = _published(base, "tokenizer_config.json")
    return config is not None and bool(json.loads(config.read_text("utf-8")).get("chat_template"))


def _published(model: str, name: str) -> Path | None:
    """A file of a model's folder or of the hub's copy of it; `None` where it has no such file."""
    if Path(model).is_dir():
        path = Path(model) / name
        return path if path.is_file() else None
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    # Offline, a file that is not in the cache may not exist at all.
    try:
        return Path(hf_hub_download(model, name))
    except EntryNotFoundError:
        return None


def say(line: str) -> None:
    """Tells on standard error why one has to wait."""
    print(line, file=sys.stderr)  # noqa: T201


_ON_A_CPU: Mapping[str, Any] = {
    "dtype": "float32",
    "enforce_eager": True,
    "max_num_seqs": 16,
    "block_size": 32,
    "kv_cache_memory_bytes": 1 << 29,
}
"""What serves on a CPU: small blocks, so that short prefixes are shared; half a GiB for them."""


def _params(request: Write, most: int) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    sampling = request.sampling
    bound = None
    if request.schema is not None:
        bound = StructuredOutputsParams(json=dict(request.schema))
    return SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        # A seed of its own breaks a prompt read in pieces on a CPU (vLLM 0.32: "CPU Generator does
        # not use offset"); there the engine's seed must do.
        seed=sampling.seed if _has_cuda() else None,
        max_tokens=most,
        structured_outputs=bound,
    )


def _adapted(model: str) -> tuple[str, Any]:
    """The base model of an adapter's folder, and the adapter; else the model itself."""
    base, adapted = _adapted_by(model)
    if not adapted:
        return base, None
    from vllm.lora.request import LoRARequest

    return base, LoRARequest("adapter", 1, str(Path(model).resolve()))


def _adapted_by(model: str) -> tuple[str, bool]:
    """The base model, and whether the given one is an adapter to it."""
    config = Path(model) / ADAPTER
    if not config.is_file():
        return model, False
    try:
        return str(json.loads(config.read_text("utf-8"))["base_model_name_or_path"]), True
    except (ValueError, KeyError):
        raise UserError(f"{config}: names no base model") from None


def _rank(model: str) -> int:
    """The rank that vLLM must make room for."""
    rank = json.loads((Path(model) / ADAPTER).read_text("utf-8")).get("r", 16)
    return next((size for size in (8, 16, 32, 64, 128, 256) if size >= rank), 320)


def _has_cuda() -> bool:
    from clhcode.runtime.probe import cuda

    return cuda()


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
