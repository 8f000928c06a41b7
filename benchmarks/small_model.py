"""Trains a small model of our own from the classification alone, on one core.

    clh fetch icd10cm
    python benchmarks/small_model.py OUT [--seed 0] [--steps 2400]

Writes OUT/hf (a Hugging Face folder) and OUT/small.gguf, which
`clh bench --questions FILE --model OUT/small.gguf --choose score` runs. The model is a llama of
1.2 million parameters that learns P(phrase | option) in the very words in which `locate` rates
options. Its examples are the paths of the Alphabetic Index and the inclusion terms, with the titles
of their codes; no category that is held out or for development (`clhcode.bench.making.part`) is
among them, nor in the vocabulary. Needs `pip install 'clhcode[train]' gguf`. Research use only.
"""

from __future__ import annotations

import argparse
import random
import re
import string
import time
from pathlib import Path

from clhcode.bench.making import DEV, HELD_OUT, part, paths
from clhcode.icd.sources import choose
from clhcode.icd.store import open_store
from clhcode.runtime.text import RATED
from clhcode.train.export import export

TOKENS, HIDDEN, INNER, LAYERS, HEADS, CONTEXT = 3_072, 128, 352, 4, 4, 2_048
PAD, UNKNOWN, BEGIN, SEPARATOR = SPECIAL = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
PAIRS = 32
"""Pairs a step."""
LONGEST = 72
"""Tokens of an example; the few longer ones cost more than they teach."""


def phrases(store):
    """(code, phrase) of the training categories: paths of the index, inclusion terms."""
    for phrase, code in paths(store):
        if part(code) not in (HELD_OUT, DEV):
            yield code, phrase
    for _, number, phrase in store.inclusions():
        node = store.by_number(number)
        if node.kind == "code" and part(node.code) not in (HELD_OUT, DEV):
            yield node.code, phrase


def pairs(store):
    """(title, phrase), each once."""
    return sorted({(store.node(code).title, phrase) for code, phrase in phrases(store)})


def vocabulary(texts):
    """A tokenizer that takes no notice of case and accents, in transformers and in llama.cpp."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from tokenizers.trainers import WordPieceTrainer
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    trainer = WordPieceTrainer(
        vocab_size=TOKENS,
        special_tokens=list(SPECIAL),
        initial_alphabet=list(string.printable.strip()),
        show_progress=False,
    )
    # Every letter and digit within a word, too: what a note writes need not be in the index.
    letters = f"a{string.ascii_lowercase}{string.digits}"
    made.train_from_iterator([*texts, letters, *[RATED] * 100], trainer)
    ids = [(token, made.token_to_id(token)) for token in (BEGIN, SEPARATOR)]
    made.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A {SEPARATOR}", special_tokens=ids
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token=BEGIN,
        cls_token=BEGIN,
        sep_token=SEPARATOR,
        eos_token=SEPARATOR,
        pad_token=PAD,
        unk_token=UNKNOWN,
        model_max_length=CONTEXT,
    )


def model(tokenizer, seed):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        use_cache=False,
        dtype="float32",
    )
    return LlamaForCausalLM(config)


class Swap:
    """Puts another word for one that title and phrase share, so that copying is learned."""

    def __init__(self, texts, share):
        self.share = share
        self.words = sorted({w for text in texts for w in re.findall(r"[a-z]{4,}", text.lower())})

    def __call__(self, title, phrase, chance):
        if chance.random() >= self.share:
            return title, phrase
        title, phrase = title.lower(), phrase.lower()
        both = set(re.findall(r"[a-z]{4,}", title)) & set(re.findall(r"[a-z]{4,}", phrase))
        for word in sorted(both):
            if chance.random() < 0.5:
                other = chance.choice(self.words)
                title = re.sub(rf"\b{word}\b", other, title)
                phrase = re.sub(rf"\b{word}\b", other, phrase)
        return title, phrase


def batches(found, tokenizer, swap, seed):
    """Endless batches of pairs of like length, as (tokens, where the phrase begins) a pair."""
    chance = random.Random(seed)
    while True:
        order = list(found)
        chance.shuffle(order)
        for at in range(0, len(order), PAIRS * 64):
            texts = [swap(*pair, chance) for pair in order[at : at + PAIRS * 64]]
            heads = tokenizer([RATED.format(text=title) for title, _ in texts])["input_ids"]
            tails = tokenizer([p for _, p in texts], add_special_tokens=False)["input_ids"]
            rows = [(head + tail, len(head)) for head, tail in zip(heads, tails, strict=True)]
            rows = [row for row in rows if len(row[0]) <= LONGEST]
            rows.sort(key=lambda row: len(row[0]))
            groups = [rows[n : n + PAIRS] for n in range(0, len(rows), PAIRS)]
            chance.shuffle(groups)
            yield from groups


def loss_of(network, rows):
    """Minus log P of the phrases' tokens, on the average."""
    import torch
    from torch.nn.functional import cross_entropy

    longest = max(len(tokens) for tokens, _ in rows)
    tokens = torch.tensor([row + [0] * (longest - len(row)) for row, _ in rows])
    place = torch.arange(longest - 1)
    begins = torch.tensor([begin for _, begin in rows])[:, None]
    ends = torch.tensor([len(row) for row, _ in rows])[:, None]
    wanted = (place >= begins - 1) & (place < ends - 1)
    # Padding stands behind, where a causal model does not see it: no mask.
    hidden = network.model(input_ids=tokens[:, :-1]).last_hidden_state
    return cross_entropy(network.lm_head(hidden[wanted]), tokens[:, 1:][wanted])


def optimizers_of(network, options):
    """Muon for what turns hidden states, which needs half the steps, and Adam for the rest."""
    import torch

    turning = [p for name, p in network.named_parameters() if ".layers." in name and p.dim() == 2]
    ids = {id(p) for p in turning}
    rest = [p for p in network.parameters() if id(p) not in ids]
    muon = torch.optim.Muon(
        turning, lr=options.muon, momentum=0.95, weight_decay=0.01, adjust_lr_fn="original"
    )
    adam = torch.optim.AdamW(
        rest, lr=options.rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    for each in (muon, adam):
        for group in each.param_groups:
            group["full"] = group["lr"]
    return muon, adam


def train(network, found, tokenizer, options):
    import torch

    swap = Swap([text for pair in found for text in pair], options.swap)
    optimizers = optimizers_of(network, options)
    source = batches(found, tokenizer, swap, options.seed)
    warm, began, read, mean = 50, time.perf_counter(), 0, None
    for step in range(options.steps):
        share = min(1.0, (step + 1) / warm) * (1 - step / options.steps)
        for group in [g for each in optimizers for g in each.param_groups]:
            group["lr"] = group["full"] * share
        rows = next(source)
        loss = loss_of(network, rows)
        network.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        read += sum(len(tokens) for tokens, _ in rows)
        mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item()
        if (step + 1) % 100 == 0:
            spent = time.perf_counter() - began
            print(
                f"{step + 1:>6} steps  {spent:>5.0f} s  {read / spent:>6.0f} tokens/s  {mean:.3f}",
                flush=True,
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=6_000)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--muon", type=float, default=0.02)
    parser.add_argument("--swap", type=float, default=0.15)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    store, _ = open_store(choose())
    found = pairs(store)
    tokenizer = vocabulary([text for pair in found for text in pair])
    network = model(tokenizer, options.seed)
    size = sum(p.numel() for p in network.parameters())
    print(f"{len(found):,} pairs, {size:,} parameters", flush=True)
    train(network, found, tokenizer, options)
    options.out.mkdir(parents=True, exist_ok=True)
    network.save_pretrained(options.out / "hf")
    tokenizer.save_pretrained(options.out / "hf")
    export(options.out / "hf", options.out / "small.gguf", "q8_0")


if __name__ == "__main__":
    main()
