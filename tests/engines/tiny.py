"""Models made on the spot: the shape of real ones, random weights, a vocabulary of our own texts.

They say nothing sensible, which is what makes them good at finding what a grammar lets through.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

CHAT = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>\n"
    "{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
SPECIAL = ("<pad>", "<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
SIZE, HIDDEN, INNER, LAYERS, HEADS, KEYS = 1_024, 128, 256, 2, 4, 2
CONTEXT = 4_096
PROMPTS = Path(__file__).parents[2] / "src/clhcode/prompts"


def tokenizer():
    """A byte-level BPE tokenizer, trained on the prompts and on digits."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    texts = [path.read_text("utf-8") for path in sorted(PROMPTS.rglob("*.j2"))]
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([*texts, *texts, *map(str, range(300))], trainer)
    return made


def weights(seed):
    """Name in GGUF -> values."""
    chance = np.random.default_rng(seed)

    def drawn(*shape, scale=0.3):
        return chance.normal(0, scale, shape).astype(np.float32)

    head = HIDDEN // HEADS
    found = {
        "token_embd.weight": drawn(SIZE, HIDDEN),
        "output_norm.weight": np.ones(HIDDEN, np.float32),
        "output.weight": drawn(SIZE, HIDDEN),
    }
    for n in range(LAYERS):
        found |= {
            f"blk.{n}.attn_norm.weight": np.ones(HIDDEN, np.float32),
            f"blk.{n}.attn_q.weight": drawn(HIDDEN, HIDDEN),
            f"blk.{n}.attn_k.weight": drawn(KEYS * head, HIDDEN),
            f"blk.{n}.attn_v.weight": drawn(KEYS * head, HIDDEN),
            f"blk.{n}.attn_output.weight": drawn(HIDDEN, HIDDEN),
            f"blk.{n}.ffn_norm.weight": np.ones(HIDDEN, np.float32),
            f"blk.{n}.ffn_gate.weight": drawn(INNER, HIDDEN),
            f"blk.{n}.ffn_up.weight": drawn(INNER, HIDDEN),
            f"blk.{n}.ffn_down.weight": drawn(HIDDEN, INNER),
        }
    return found


def gguf(path, *, chat=True, seed=0, context=CONTEXT):
    """Writes a GGUF file; returns its path."""
    import gguf as library

    made = tokenizer()
    vocabulary = sorted(made.get_vocab().items(), key=lambda item: item[1])
    tokens = [token for token, _ in vocabulary]
    tokens += [f"<unused{n}>" for n in range(SIZE - len(tokens))]
    merges = [" ".join(pair) for pair in json.loads(made.to_str())["model"]["merges"]]
    writer = library.GGUFWriter(str(path), "llama")
    writer.add_context_length(context)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEYS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_merges(merges)
    control, unused, normal = 3, 5, 1
    writer.add_token_types(
        [control if t in SPECIAL else unused if t.startswith("<unused") else normal for t in tokens]
    )
    writer.add_bos_token_id(SPECIAL.index("<s>"))
    writer.add_eos_token_id(SPECIAL.index("</s>"))
    writer.add_pad_token_id(SPECIAL.index("<pad>"))
    writer.add_add_bos_token(True)
    if chat:
        writer.add_chat_template(CHAT)
    for name, values in weights(seed).items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return Path(path)


def folder(path, *, chat=True, seed=0, context=CONTEXT):
    """Writes a folder of Hugging Face's layout; returns its path."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=SIZE,
        hidden_size=HIDDEN,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KEYS,
        max_position_embeddings=context,
        bos_token_id=SPECIAL.index("<s>"),
        eos_token_id=SPECIAL.index("</s>"),
        pad_token_id=SPECIAL.index("<pad>"),
        initializer_range=0.3,
        dtype="float32",
    )
    LlamaForCausalLM(config).save_pretrained(path)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer(), bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    if chat:
        fast.chat_template = CHAT
    fast.save_pretrained(path)
    return Path(path)
