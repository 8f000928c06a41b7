"""The model that is tuned: loaded by transformers or by Unsloth, whole or with an adapter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clhcode.errors import UserError
from clhcode.train.plan import Plan

EXTRA = "training needs its extra: pip install 'clhcode[train]'"
ADAPTER = "adapter_config.json"


@dataclass(frozen=True, slots=True)
class Pupil:
    """A model with its tokenizer.

    Attributes:
        adapter: The configuration of the adapter that the trainer shall add.
        backend: What it was loaded by.
    """

    model: Any
    tokenizer: Any
    adapter: Any
    backend: str


def choose_backend(plan: Plan, say: Callable[[str], None]) -> str:
    """Unsloth where there is a GPU and it is installed, or where it is asked for; else plain TRL.

    Must come before TRL is imported, which Unsloth changes.

    Raises:
        UserError: PyTorch or TRL is not installed.
    """
    if plan.backend != "trl":
        why = _unsloth(asked=plan.backend == "unsloth")
        if why is None:
            return "unsloth"
        if plan.backend == "unsloth":
            say(f"Unsloth cannot be used ({why}): going on with plain TRL")
    try:
        import torch  # noqa: F401
        import trl  # noqa: F401
    except ImportError:
        raise UserError(EXTRA) from None
    return "trl"


def _unsloth(*, asked: bool) -> str | None:
    """Imports Unsloth; what is in the way where that is not possible."""
    from importlib.util import find_spec

    from clhcode.runtime.probe import cuda

    if find_spec("unsloth") is None:
        return "not installed: pip install 'clhcode[unsloth]'"
    if not asked and not cuda():
        return "no GPU"
    try:
        import unsloth  # noqa: F401
    except Exception as error:
        # It looks for devices and patches libraries as it is imported; whatever fails, TRL works.
        return f"{type(error).__name__} as it is imported"
    return None


def load(plan: Plan, backend: str) -> Pupil:
    """The model of a plan.

    Raises:
        UserError: It cannot be loaded, or the machine lacks what the plan needs.
    """
    import torch

    gpu = torch.cuda.is_available()
    if plan.tune == "qlora" and not gpu:
        raise UserError("--tune qlora holds weights in 4 bits, which needs a GPU: take lora")
    try:
        if backend == "unsloth":
            return _by_unsloth(plan)
        return _by_transformers(plan, bf16=gpu and torch.cuda.is_bf16_supported())
    except (OSError, ValueError, KeyError) as error:
        first = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"--model {plan.model}: cannot be loaded: {first[0][:300]}") from None


def _by_transformers(plan: Plan, *, bf16: bool) -> Pupil:
    import torch
    from peft import AutoPeftModelForCausalLM, LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(plan.model)
    # Whole weights learn in full precision; frozen ones may be halves.
    half = bf16 and plan.tune != "full"
    how: dict[str, Any] = {"dtype": torch.bfloat16 if half else torch.float32}
    if plan.tune == "qlora":
        how["quantization_config"] = _four_bits()
    if (Path(plan.model) / ADAPTER).is_file():
        if plan.tune == "full":
            raise UserError(f"--model {plan.model} is an adapter: --tune lora goes on with it")
        model = AutoPeftModelForCausalLM.from_pretrained(plan.model, is_trainable=True, **how)
        return Pupil(model, _padded(tokenizer), None, "trl")
    model = AutoModelForCausalLM.from_pretrained(plan.model, **how)
    adapter = None
    if plan.tune != "full":
        adapter = LoraConfig(
            r=plan.rank,
            lora_alpha=plan.alpha,
            lora_dropout=plan.dropout,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
    return Pupil(model, _padded(tokenizer), adapter, "trl")


def _four_bits() -> Any:
    import torch
    from transformers import BitsAndBytesConfig

    try:
        import bitsandbytes  # noqa: F401
    except ImportError:
        raise UserError("--tune qlora needs bitsandbytes: pip install bitsandbytes") from None
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def _by_unsloth(plan: Plan) -> Pupil:
    from unsloth import FastLanguageModel

    model, tokenizer = FastLanguageModel.from_pretrained(
        model_name=plan.model,
        max_seq_length=plan.length,
        load_in_4bit=plan.tune == "qlora",
        full_finetuning=plan.tune == "full",
        **({"fast_inference": True, "max_lora_rank": plan.rank} if _rolls_out(plan) else {}),
    )
    if plan.tune != "full" and not hasattr(model, "peft_config"):
        model = FastLanguageModel.get_peft_model(
            model,
            r=plan.rank,
            lora_alpha=plan.alpha,
            lora_dropout=plan.dropout,
            use_gradient_checkpointing="unsloth",
            random_state=plan.seed,
        )
    # Its own class may wrap a processor of pictures, too.
    return Pupil(model, _padded(getattr(tokenizer, "tokenizer", tokenizer)), None, "unsloth")


def _rolls_out(plan: Plan) -> bool:
    """Whether the model also writes completions by vLLM, which Unsloth then must load."""
    from clhcode.train.grpo import rollouts_of

    return plan.method == "grpo" and rollouts_of(plan) == "vllm"


def _padded(tokenizer: Any) -> Any:
    """The tokenizer with something to pad by."""
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer
