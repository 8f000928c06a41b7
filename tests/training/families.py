"""Small models of the architectures that are exported, random weights and all."""

from __future__ import annotations

from pathlib import Path

from engines.tiny import CHAT

PROMPTS = Path(__file__).parents[2] / "src/clhcode/prompts"
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
SIZE = 1_200
CUTS = {
    "llama": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
HARD = (
    "Ménière's disease; Sjögren, 38.5 °C – naïve  café",
    "İstanbul, ß, 中文 病名, русский, 🚑🏥",
    "  two  spaces\n\n\nlines\tand\ttabs \n",
    "I'VE 123456789 can't w/o (R>L) 5-10mg/kg q.d. <tag> ~100%",
    "<0x41> ▁ <|unknown|>",
    " ",
)
"""Texts that tokenizers differ over."""


def texts():
    return [path.read_text("utf-8") for path in sorted(PROMPTS.rglob("*.j2"))] * 2 + [
        str(n) for n in range(300)
    ]


def bytewise(name):
    """Byte-level BPE, words cut as Llama 3 or Qwen 3 cut them, or as GPT-2."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    made = Tokenizer(models.BPE(ignore_merges=name == "llama"))
    if name in CUTS:
        cut = pre_tokenizers.Split(Regex(CUTS[name]), "isolated")
        bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        made.pre_tokenizer = pre_tokenizers.Sequence([cut, bytes_])
    else:
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if name == "qwen3":
        made.normalizer = normalizers.NFC()
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE - 8,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts(), trainer)
    return made


def sentencepiece(*, spaced=False):
    """Gemma's kind: spaces as ▁, no words cut, bytes for what is unknown.

    `spaced` puts a space before a text, as Llama 2 does.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from tokenizers.trainers import BpeTrainer

    learned = Tokenizer(models.BPE())
    learned.normalizer = normalizers.Replace(" ", "▁")
    learned.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    trainer = BpeTrainer(vocab_size=SIZE - 300, show_progress=False)
    learned.train_from_iterator(texts(), trainer)
    ranks = sorted(learned.get_vocab().items(), key=lambda item: item[1])
    tokens = [*SPECIAL, *(f"<0x{n:02X}>" for n in range(256)), *(token for token, _ in ranks)]
    made = Tokenizer(
        models.BPE(
            vocab={token: n for n, token in enumerate(tokens)},
            merges=_merges(learned),
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    replaced = normalizers.Replace(" ", "▁")
    first = normalizers.Sequence([normalizers.Prepend("▁"), replaced])
    made.normalizer = first if spaced else replaced
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    made.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    return made


def _merges(tokenizer):
    import json

    return [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]


def wordpiece():
    """BERT's kind: words in lower case, their longest pieces."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from tokenizers.trainers import WordPieceTrainer

    made = Tokenizer(models.WordPiece(unk_token="<unk>"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    trainer = WordPieceTrainer(
        vocab_size=SIZE - 8, special_tokens=list(SPECIAL), show_progress=False
    )
    made.train_from_iterator(texts(), trainer)
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return made


def config(name):
    """Shapes that no default would give: heads wider than they need be, few keys, turned ropes."""
    import transformers

    common = {
        "vocab_size": SIZE,
        "hidden_size": 96,
        "intermediate_size": 160,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4_096,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "dtype": "float32",
        "initializer_range": 0.15,
    }
    llama3 = {
        "rope_type": "llama3",
        "rope_theta": 500_000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 512,
    }
    if name == "llama":
        return transformers.LlamaConfig(
            **common, num_hidden_layers=2, head_dim=32, rope_parameters=llama3
        )
    if name == "llama-tied":
        return transformers.LlamaConfig(
            **common, num_hidden_layers=2, tie_word_embeddings=True, attention_bias=True
        )
    if name == "qwen3":
        return transformers.Qwen3Config(**common, num_hidden_layers=2, head_dim=48)
    linear = {"rope_type": "linear", "factor": 4.0, "rope_theta": 1_000_000.0}
    return transformers.Gemma3TextConfig(
        **common,
        num_hidden_layers=7,
        head_dim=32,
        query_pre_attn_scalar=32,
        sliding_window=64,
        rope_parameters={
            "full_attention": linear,
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
        },
    )


def folder(path, name, tokenizer=None, *, chat=True, seed=0):
    """Writes a model of a family; returns its folder."""
    import torch
    from tokenizers import processors
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config(name))
    with torch.no_grad():
        for values in model.parameters():
            if values.dim() == 1:
                # Norms and biases as nobody initialises them, so that one left out is seen.
                values.add_(0.3 * torch.randn_like(values))
    model.save_pretrained(path)
    made = tokenizer or (sentencepiece() if name == "gemma3" else bytewise(name))
    if name in ("llama", "gemma3"):
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 1)]
        )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
    )
    if chat:
        fast.chat_template = CHAT
    fast.save_pretrained(path)
    return Path(path)
