"""The shape of a model and the order of its weights, by hand."""

import math

import numpy as np
import pytest

from clhcode.errors import UserError
from clhcode.train.gguf_model import Shape, interleaved, shape, turned

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "num_attention_heads": 8,
    "num_hidden_layers": 2,
}


def test_rows_of_a_head_take_turns():
    rows = np.arange(8, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)
    # Two heads of four rows: their halves are (0 1)(2 3) and (4 5)(6 7).
    assert interleaved(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    # A bias has rows alone.
    assert interleaved(rows[:, 0], 1).tolist() == [0, 4, 1, 5, 2, 6, 3, 7]


def test_interleaving_keeps_what_attention_computes():
    chance = np.random.default_rng(0)
    query, key = chance.normal(size=(2, 8, 5)).astype(np.float32)
    usual = query @ query.T, query.T @ key
    assert np.allclose(interleaved(query, 2).T @ interleaved(key, 2), usual[1])


def test_slow_turns_are_stretched_and_fast_ones_left():
    rope = {
        "rope_type": "llama3",
        "rope_theta": 10_000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        # So that the second pair, of frequency 0.1, fits in 2.5 times.
        "original_max_position_embeddings": 2.5 * 2 * math.pi / 0.1,
    }
    factors = turned(Shape("llama", {**LLAMA, "head_dim": 8, "rope_parameters": rope}))
    # Waves in the old context: 25, 2.5, 0.25 and 0.025; 2.5 is half way from 1 to 4.
    half = 1 / (0.5 + 0.5 / 8)
    assert factors.tolist() == pytest.approx([1, half, 8, 8])


def test_no_turns_are_changed_where_none_are_asked():
    assert turned(Shape("llama", LLAMA)) is None


def test_ropes_of_older_files_are_read():
    old = {"rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 2.0}}
    assert Shape("llama", old).rope() == {
        "type": "linear",
        "factor": 2.0,
        "rope_type": "linear",
        "rope_theta": 5e5,
    }
    local = Shape("gemma3", {"rope_theta": 1e6, "rope_local_base_freq": 1e4})
    assert local.rope("sliding_attention")["rope_theta"] == 1e4
    assert local.rope()["rope_theta"] == 1e6


def test_every_sixth_layer_of_gemma_sees_all():
    assert Shape("gemma3", {"num_hidden_layers": 7}).sliding == [True] * 5 + [False, True]
    named = {"num_hidden_layers": 2, "layer_types": ["full_attention", "sliding_attention"]}
    assert Shape("gemma3", named).sliding == [False, True]


def test_heads_are_as_wide_as_said():
    assert (Shape("llama", LLAMA).head, Shape("llama", LLAMA).keys) == (8, 8)
    wide = Shape("qwen3", {**LLAMA, "head_dim": 128, "num_key_value_heads": 2})
    assert (wide.head, wide.keys) == (128, 2)


def test_unknown_models_have_no_shape():
    assert shape({"architectures": ["MambaForCausalLM"]}) is None
    assert shape({}) is None


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"rope_scaling": {"rope_type": "longrope"}}, "rope_type longrope"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "rope_type yarn"),
        ({"hidden_act": "gelu"}, "hidden_act gelu"),
        ({"use_sliding_window": True}, "use_sliding_window"),
        (
            {"architectures": ["Gemma3ForCausalLM"], "query_pre_attn_scalar": 256, "head_dim": 8},
            "query_pre_attn_scalar 256",
        ),
    ],
)
def test_what_llama_cpp_computes_otherwise_is_named(more, said):
    with pytest.raises(UserError, match=f"config.json: {said} is not exported for"):
        shape({**LLAMA, **more})
