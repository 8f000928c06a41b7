"""A model of Hugging Face's as llama.cpp wants it: its shape, and its weights by other names."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clhcode.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from gguf import GGUFWriter
    from numpy.typing import NDArray

    Weights = NDArray[np.float32]

ARCHITECTURES = {
    "LlamaForCausalLM": "llama",
    "Qwen3ForCausalLM": "qwen3",
    "Gemma3ForCausalLM": "gemma3",
}
"""The class in transformers -> the name in llama.cpp."""
_EVERY = 6
"""Of Gemma 3's layers, the one that sees the whole text, where a file says nothing."""
_BIGGEST_GEMMA = 62
"""Layers of the one Gemma 3 whose attention llama.cpp scales otherwise."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the settings of a model say.

    Attributes:
        name: llama.cpp's name of the architecture.
        config: The settings, as config.json has them.
    """

    name: str
    config: Mapping[str, Any]

    @property
    def head(self) -> int:
        """Width of an attention head."""
        own = self.config.get("head_dim")
        return int(own or self.config["hidden_size"] // self.config["num_attention_heads"])

    @property
    def keys(self) -> int:
        """Heads of keys and values."""
        own = self.config.get("num_key_value_heads")
        return int(own or self.config["num_attention_heads"])

    @property
    def tied(self) -> bool:
        """Whether words are written by the vectors that they are read by."""
        return bool(self.config.get("tie_word_embeddings", self.name == "gemma3"))

    def rope(self, kind: str = "full_attention") -> Mapping[str, Any]:
        """How positions turn, in layers of a kind; older files have it under other names."""
        found = self.config.get("rope_parameters") or {}
        if kind in found:
            return dict(found[kind])
        if "rope_theta" in found:
            return dict(found)
        if kind == "sliding_attention":
            return {"rope_theta": self.config.get("rope_local_base_freq", 10_000.0)}
        scaling = self.config.get("rope_scaling") or {}
        kind_of = scaling.get("rope_type") or scaling.get("type")
        return {
            **scaling,
            "rope_type": kind_of or "default",
            "rope_theta": self.config.get("rope_theta", 10_000.0),
        }

    @property
    def sliding(self) -> list[bool]:
        """Whether each layer sees the last tokens only."""
        layers = self.config["num_hidden_layers"]
        kinds = self.config.get("layer_types")
        if kinds is None:
            every = self.config.get("sliding_window_pattern") or _EVERY
            return [(n + 1) % every != 0 for n in range(layers)]
        return [kind == "sliding_attention" for kind in kinds]


def shape(config: Mapping[str, Any]) -> Shape | None:
    """The shape of a model; None where clh does not export such models itself.

    Raises:
        UserError: It is of a known architecture, and llama.cpp would compute something else.
    """
    name = ARCHITECTURES.get((config.get("architectures") or [""])[0])
    if name is None:
        return None
    if config.get("quantization_config"):
        raise UserError("the weights are quantised: export the folder they were made from")
    found = Shape(name, config)
    _check(found)
    return found


def _check(found: Shape) -> None:
    config, rope = found.config, found.rope().get("rope_type", "default")
    scaled = ("default", "linear", "llama3" if found.name == "llama" else "yarn")
    act = config.get("hidden_act") or config.get("hidden_activation") or "silu"
    wrong = {
        f"rope_type {rope}": rope not in scaled,
        f"hidden_act {act}": act != "silu" and found.name != "gemma3",
        "attn_logit_softcapping": bool(config.get("attn_logit_softcapping")),
        "use_bidirectional_attention": bool(config.get("use_bidirectional_attention")),
        "use_sliding_window": bool(config.get("use_sliding_window")),
    }
    if found.name == "gemma3":
        asked = config.get("query_pre_attn_scalar", found.head)
        biggest = config["num_hidden_layers"] == _BIGGEST_GEMMA
        own = config["hidden_size"] // config["num_attention_heads"] if biggest else found.head
        wrong[f"query_pre_attn_scalar {asked}"] = asked != own
    for what, is_wrong in wrong.items():
        if is_wrong:
            raise UserError(f"config.json: {what} is not exported for {found.name} models")


def describe(found: Shape, writer: GGUFWriter) -> None:
    """Adds a shape to a file in the making."""
    from gguf import RopeScalingType

    config, rope = found.config, found.rope()
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(found.keys)
    writer.add_key_length(found.head)
    writer.add_value_length(found.head)
    writer.add_layer_norm_rms_eps(config.get("rms_norm_eps", 1e-6))
    writer.add_vocab_size(config["vocab_size"])
    writer.add_rope_dimension_count(found.head)
    writer.add_rope_freq_base(float(rope["rope_theta"]))
    if rope.get("rope_type") in ("linear", "yarn"):
        yarn = rope["rope_type"] == "yarn"
        writer.add_rope_scaling_type(RopeScalingType.YARN if yarn else RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(float(rope["factor"]))
        if yarn:
            writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    if found.name != "gemma3":
        return
    writer.add_rope_freq_base_swa(float(found.rope("sliding_attention")["rope_theta"]))
    if config.get("final_logit_softcapping"):
        writer.add_final_logit_softcapping(config["final_logit_softcapping"])
    if any(found.sliding):
        writer.add_sliding_window(config["sliding_window"])
        if found.sliding != [(n + 1) % _EVERY != 0 for n in range(len(found.sliding))]:
            writer.add_sliding_window_pattern(found.sliding)


def turned(found: Shape) -> Weights | None:
    """What the frequencies of positions are divided by, one a pair of a head; None for nothing.

    Llama 3.1 stretches the slow ones by `factor`, leaves the fast ones, and goes from one to the
    other in between; how fast is how often a wave fits into the context of before.
    """
    import numpy as np

    rope = found.rope()
    if rope.get("rope_type") != "llama3":
        return None
    pairs = np.arange(0, found.head, 2, dtype=np.float64)
    waves = rope["original_max_position_embeddings"] / (
        2 * math.pi * rope["rope_theta"] ** (pairs / found.head)
    )
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    fast = np.clip((waves - low) / (high - low), 0, 1)
    factors: Weights = (1 / (fast + (1 - fast) / rope["factor"])).astype(np.float32)
    return factors


@dataclass(frozen=True, slots=True)
class Tensor:
    """One matrix or vector of a model, read when it is asked for.

    Attributes:
        name: Its name in llama.cpp.
        shape: Rows and columns.
    """

    name: str
    shape: tuple[int, ...]
    _file: Path
    _key: str
    _found: Shape

    def values(self) -> Weights:
        """Its values, in the order that llama.cpp has them in."""
        import torch
        from safetensors import safe_open

        with safe_open(self._file, "pt") as file:
            values: Weights = file.get_tensor(self._key).to(torch.float32).numpy()
        return _arranged(self._found, self._key, values)


def _arranged(found: Shape, key: str, values: Weights) -> Weights:
    if found.name == "gemma3" and key.endswith("norm.weight"):
        # transformers adds the one when it computes, llama.cpp wants it in the file.
        return values + 1
    if found.name == "llama" and ".self_attn.q_proj." in key:
        return interleaved(values, found.config["num_attention_heads"])
    if found.name == "llama" and ".self_attn.k_proj." in key:
        return interleaved(values, found.keys)
    return values


def interleaved(values: Weights, heads: int) -> Weights:
    """Rows of each head, first half and second half in turns.

    transformers turns row n of a head with row n + half; llama.cpp's llama turns neighbours.
    """
    halves = values.reshape(heads, 2, -1, *values.shape[1:])
    return halves.swapaxes(1, 2).reshape(values.shape)


def tensors(folder: Path, found: Shape) -> Iterator[Tensor]:
    """All weights of a folder.

    Raises:
        UserError: There are none, or there is one that llama.cpp has no name for.
    """
    from gguf import MODEL_ARCH, get_tensor_name_map
    from safetensors import SafetensorError, safe_open

    names = get_tensor_name_map(MODEL_ARCH[found.name.upper()], found.config["num_hidden_layers"])
    files = sorted(folder.glob("model*.safetensors"))
    if not files:
        raise UserError(f"{folder}: holds no model.safetensors: save the model in this format")
    for path in files:
        try:
            with safe_open(path, "pt") as file:
                shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path}: cannot be read ({error})") from None
        for key, rows in shapes.items():
            if key == "lm_head.weight" and found.config.get(
                "tie_word_embeddings", found.name == "gemma3"
            ):
                continue
            name = names.get_name(key, try_suffixes=(".weight", ".bias"))
            if name is None:
                raise UserError(f"{path}: {key} has no name in llama.cpp's {found.name} models")
            yield Tensor(name, rows, path, key, found)
