"""Training reads what inference sends, to the token, and measures what inference measures."""

import math

import pytest

pytest.importorskip("trl")

import torch
from engines import tiny
from transformers import AutoModelForCausalLM, AutoTokenizer

from clhcode.runtime.model import Prompt
from clhcode.runtime.speak import prompt
from clhcode.runtime.template import messages
from clhcode.tasks import AGENTS
from clhcode.train.exam import likelihoods
from clhcode.train.sft import IGNORED, _rows
from clhcode.train.voice import Voice, finish_of
from clhcode.train.wording import Line, line, rated
from tests.unit.train.demo import made


@pytest.fixture(scope="module")
def chat(tiny_chat):
    return Voice(AutoTokenizer.from_pretrained(tiny_chat))


@pytest.fixture(scope="module")
def base(tiny_base):
    return Voice(AutoTokenizer.from_pretrained(tiny_base))


@pytest.mark.parametrize("agent", AGENTS)
def test_a_chat_model_reads_its_own_template_once(agent, chat, demo_table):
    for example in made(agent, demo_table).train[:5]:
        said = prompt(example.task)
        theirs = chat.tokenizer.apply_chat_template(
            messages(said), add_generation_prompt=True, return_dict=True
        )["input_ids"]
        assert chat.piece(line(example, "context", "write")).read == theirs


@pytest.mark.parametrize("agent", AGENTS)
def test_llama_cpp_reads_the_same(agent, chat, gguf, demo_table):
    from clhcode.runtime.llamacpp import LlamaModel
    from clhcode.runtime.model import Write
    from clhcode.runtime.sampling import Sampling

    model = LlamaModel(gguf)
    try:
        for example in made(agent, demo_table).train[:5]:
            request = Write(prompt(example.task), None, Sampling(), 1)
            ours = chat.piece(line(example, "context", "write")).read
            assert ours == model.prompt_tokens(request)
    finally:
        model.close()


def test_what_is_learned_is_the_answer_and_the_end_of_the_turn(chat, base, demo_table):
    for voice, end in ((chat, "<|end|>"), (base, "</s>")):
        for example in made("assign", demo_table).train[:5]:
            said = line(example, "context", "write")
            piece = voice.piece(said)
            assert voice.tokenizer.decode(piece.write) == said.completion + end
            assert voice.words(piece.write) == said.completion
            assert finish_of(piece.write, voice.stops) == "stop"
            assert finish_of(piece.write[:-1], voice.stops) == "length"
            (row,) = _rows([piece])
            assert row["input_ids"] == piece.read + piece.write
            assert [n for n in row["labels"] if n != IGNORED] == piece.write
            assert row["labels"][: len(piece.read)] == [IGNORED] * len(piece.read)


def test_a_phrase_is_learned_after_the_plain_prompt_and_may_go_on(chat, base):
    said = Line(Prompt("ICD-10-CM diagnosis: Gout\nIndexed under:", plain=True), " Gout", False)
    for voice in (chat, base):
        piece = voice.piece(said)
        # The beginning of a text, no template, and nothing behind the phrase.
        assert piece.read == voice.tokenizer.encode(said.prompt.user)
        assert voice.tokenizer.decode(piece.write) == said.completion


def test_options_are_rated_as_the_runtime_rates_them(base, demo_table):
    """The exam's pairs are the very request that `text` makes."""
    from clhcode.runtime.sampling import Manner
    from clhcode.runtime.text import _rate

    class Model:
        rating = "phrase"

    for example in made("locate", demo_table).train[:5]:
        (request,) = next(_rate(example.task, Manner(choose="score"), Model()))
        pairs = rated(example.task, "context", "phrase")
        assert [p for p, _ in pairs] == list(request.prompts)
        assert [e for _, e in pairs] == list(request.endings)


def test_likelihoods_are_the_same_alone_and_in_company(tiny_base, base):
    model = AutoModelForCausalLM.from_pretrained(tiny_base)
    lines = [
        Line(Prompt(f"ICD-10-CM diagnosis: {title}\nIndexed under:", plain=True), f" {said}", False)
        for title, said in (("Gout", "Gout(acute)"), ("Pain in left wrist joint", "Pain"))
    ]
    pieces = [base.piece(each) for each in lines]
    pairs = [(piece.read, piece.write) for piece in pieces]
    with torch.no_grad():
        together = likelihoods(model, pairs, base.tokenizer.pad_token_id)
        for piece, value in zip(pieces, together, strict=True):
            ids = torch.tensor([piece.read + piece.write])
            logs = torch.log_softmax(model(ids).logits[0].float(), -1)
            start = len(piece.read)
            alone = sum(float(logs[start + n - 1, t]) for n, t in enumerate(piece.write))
            assert math.isclose(value, alone, abs_tol=1e-3)


def test_packed_examples_do_not_read_each_other(tiny_base):
    model = AutoModelForCausalLM.from_pretrained(tiny_base)
    one, other = [5, 9, 11, 14], [20, 21, 22]
    packed, places = torch.tensor([one + other]), torch.tensor([[0, 1, 2, 3, 0, 1, 2]])
    with torch.no_grad():
        both = model(input_ids=packed, position_ids=places, use_cache=False).logits[0]
        apart = [model(torch.tensor([each])).logits[0] for each in (one, other)]
    assert torch.allclose(both, torch.cat(apart), atol=1e-4)


def test_the_end_of_a_turn_is_a_token_of_the_model(chat):
    assert chat.end == (tiny.SPECIAL.index("<|end|>"),)
    assert chat.stops == {tiny.SPECIAL.index("<|end|>"), tiny.SPECIAL.index("</s>")}
