"""llama.cpp in this process, on models of random weights: what holds whatever a model says."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

pytest.importorskip("llama_cpp")

from engines import tiny

from benchmarks.engines import answers, ask, demo_tasks, prefix, unique
from clhcode.errors import UserError
from clhcode.records import Note, Span
from clhcode.runtime.llamacpp import LlamaModel
from clhcode.runtime.model import Prompt, Rate, Write
from clhcode.runtime.sampling import Manner, Sampling
from clhcode.runtime.template import spoken
from clhcode.runtime.text import TextEngine
from clhcode.tasks import AGENTS, Choose, Chosen, Option

TEXTS = ("What now?", "Ünïcode ❤ 1. J45.909 asthma\n\ttabs", "<|end|> in a note")


@pytest.fixture(scope="module")
def model(gguf):
    made = LlamaModel(gguf)
    yield made
    made.close()


@pytest.fixture(scope="module")
def base(base_gguf):
    made = LlamaModel(base_gguf)
    yield made
    made.close()


def run(model, requests):
    for ticket, request in enumerate(requests):
        model.submit(ticket, request)
    found = {}
    while len(found) < len(requests):
        found.update(model.ready())
    return [found[n] for n in range(len(requests))]


def free(text, most=12, **sampling):
    return Write(Prompt(text, "Be brief."), None, Sampling(**sampling), most)


@pytest.mark.parametrize("text", TEXTS)
def test_a_chat_model_reads_the_tokens_of_its_own_template(model, text):
    request = free(text)
    written = spoken(request.prompt, tiny.CHAT, ("<s>", "</s>"))
    assert written.startswith("<s><|system|>\nBe brief.<|end|>\n<|user|>\n")
    assert model.prompt_tokens(request) == tiny.tokenizer().encode(written).ids


@pytest.mark.parametrize("text", TEXTS[:2])
def test_a_base_model_reads_plain_text_after_one_beginning(base, text):
    assert not base.chat
    tokens = base.prompt_tokens(free(text))
    plain = f"Be brief.\n\n{text}\nAnswer:\n"
    assert tokens == [tiny.SPECIAL.index("<s>"), *tiny.tokenizer().encode(plain).ids]


def test_words_of_a_note_are_no_special_tokens_to_a_base_model(base):
    assert tiny.SPECIAL.index("<|end|>") not in base.prompt_tokens(free("<|end|>"))


def test_a_prompt_begins_the_same_answer_alone_or_in_company(gguf):
    # Only the beginning: logits differ by some hundredths with the size of a batch.
    requests = [free(f"Question {n} of many, on asthma?", 1) for n in range(12)]
    first = LlamaModel(gguf)
    together = run(first, requests)
    first.close()
    second = LlamaModel(gguf, slots=1)
    alone = [run(second, [request])[0] for request in requests]
    second.close()
    assert together == alone


def test_seeds_and_questions_draw_their_own_texts(model):
    requests = [
        free(f"Question {n}?", temperature=1.0, seed=seed) for n in range(4) for seed in (1, 2)
    ]
    assert len({each.text for each in run(model, requests)}) == len(requests)


def test_greedy_does_not_depend_on_what_was_asked_before(model):
    requests = [free(f"Same {n}?") for n in range(4)]
    assert run(model, requests) == run(model, requests)


def test_answers_are_sound_whatever_the_weights_say(model, finder):
    manner = Manner(sampling=Sampling(temperature=1.0))
    engine = TextEngine(model, dict.fromkeys(AGENTS, manner))
    found = answers(engine, demo_tasks(finder, 120))
    assert set(found["kinds"]) <= {"sound", "cut"}
    assert found["kinds"]["sound"] >= 100
    assert found["outside"] == 0
    assert len(found["numbers"]) > 3


def test_a_long_notes_prefix_is_read_once(gguf, finder):
    model = LlamaModel(gguf)
    found = prefix(model, finder)
    model.close()
    assert found["note_tokens"] >= 600
    assert found["questions"] > 20
    assert found["sent"] > 3 * found["unique"]
    assert found["ratio"] <= 1.1


def test_unique_tokens_are_counted_as_one_would_by_hand():
    assert unique([[1, 2, 3], [1, 2, 4], [5]]) == 5
    assert unique([[1, 2, 3], [1, 2, 4]], block=2) == 4
    assert unique([[1, 2, 3, 4], [1, 2, 3, 5]], block=2) == 6


def rate(texts, phrase):
    prompts = tuple(Prompt(f"Title: {text}\nIndexed under:", plain=True) for text in texts)
    return Rate(prompts, (f" {phrase}",) * len(texts))


def test_likelihoods_are_those_of_reading_each_alone(base):
    titles = [f"{kind} asthma" for kind in ("Mild", "Severe", "Other", "Mild persistent")]
    (together,) = run(base, [rate(titles, "Asthma, mild")])
    alone = [run(base, [rate([title], "Asthma, mild")])[0].logs[0] for title in titles]
    assert together.logs == pytest.approx(alone, abs=0.05)
    assert len({round(log, 3) for log in alone}) == len(alone)


def test_more_options_than_lines_are_rated(base):
    titles = [f"Title number {n}" for n in range(70)]
    (found,) = run(base, [rate(titles, "Asthma")])
    assert len(found.logs) == 70
    (some,) = run(base, [rate(titles[60:], "Asthma")])
    assert found.logs[60:] == pytest.approx(some.logs, abs=0.05)


def choose(options):
    notes = (Note("a", "Asthma."),)
    return Choose("locate", "entry", notes, "asthma", (Span(0, 0, 6),), options, several=True)


def test_permuted_options_keep_the_chosen_code(base):
    options = tuple(Option(f"J{n}", f"Kind {n} of asthma", score=0.0) for n in range(8))
    manners = dict.fromkeys(AGENTS, Manner(choose="score"))
    likeliest, chosen = set(), set()
    for turn in range(8):
        turned = options[turn:] + options[:turn]
        (reply,) = ask(TextEngine(base, manners), [choose(turned)])
        assert isinstance(reply, Chosen)
        likeliest.add(turned[max(range(8), key=reply.scores.__getitem__)].code)
        chosen.add(tuple(turned[n - 1].code for n in reply.numbers))
    assert len(likeliest) == 1
    # Or none of them, which random weights may like best; but then always.
    assert chosen in ({()}, {tuple(likeliest)})


def test_a_chat_model_rates_numbers_in_one_batch(model):
    options = tuple(Option(f"J{n}", f"Kind {n}", score=0.0) for n in range(12))
    engine = TextEngine(model, dict.fromkeys(AGENTS, Manner(choose="score")))
    before = model.usage.evaluated
    (reply,) = ask(engine, [choose(options)])
    assert len(reply.scores) == 12
    # The prompt once, and a few tokens an option.
    assert model.usage.evaluated - before < 700


def test_a_small_cache_serves_many_questions(gguf):
    model = LlamaModel(gguf, context=512)
    requests = [free(f"{'word ' * 60} question {n}?", most=40) for n in range(40)]
    found = run(model, requests)
    model.close()
    assert all(each.finish in ("stop", "length") for each in found)


def test_what_does_not_fit_costs_its_question(gguf):
    model = LlamaModel(gguf, context=512)
    fault, text = run(model, [free("word " * 3_000), free("short")])
    model.close()
    assert (fault.kind, text.finish) in {("too-long", "length"), ("too-long", "stop")}


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "No such file"), (b"GGML....", "not a GGUF"), (b"GGUF" + b"x" * 99, "cannot load it")],
)
def test_a_file_that_is_no_model_is_told(tmp_path, content, says):
    path = tmp_path / "m.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=says):
        LlamaModel(path)


def test_a_context_longer_than_the_models_is_refused(gguf):
    with pytest.raises(UserError, match="was made for 4096"):
        LlamaModel(gguf, context=100_000)


NOTE = "Assessment:\n1. asthma\n2. Essential hypertension\n"


def clh(*arguments, cwd, code=0, stdin=None):
    command = [sys.executable, "-m", "clhcode", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, input=stdin, check=False, env=os.environ
    )
    assert done.returncode == code, done.stderr
    return done


def test_notes_are_coded_end_to_end(gguf, tmp_path):
    done = clh("code", "-", "--model", gguf, "--format", "jsonl", cwd=tmp_path, stdin=NOTE)
    row = json.loads(done.stdout)
    assert row["codes"] is not None
    assert "llamacpp" in done.stderr
    assert "tokens sent" in done.stderr
    assert "asthma" not in done.stderr


def test_one_agent_may_have_a_model_of_its_own(gguf, tmp_path):
    arguments = ("code", "-", "--model", f"locate={gguf}", "--choose", "score")
    done = clh(*arguments, "--format", "jsonl", cwd=tmp_path, stdin=NOTE)
    row = json.loads(done.stdout)
    assert [c["quote"] for c in row["conditions"]] == ["asthma", "Essential hypertension"]
    assert "analyse: rules · locate: llamacpp" in done.stderr


def kept(path):
    """Answers in a file of answers."""
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as base:
        try:
            return base.execute("SELECT count(*) FROM answers").fetchone()[0]
        except sqlite3.OperationalError:
            return 0


def test_a_run_that_was_killed_asks_no_question_twice(gguf, tmp_path):
    lines = [json.dumps({"note_id": f"n{i}", "text": f"{NOTE}Visit {i}."}) for i in range(60)]
    (tmp_path / "n.jsonl").write_text("\n".join(lines) + "\n")
    run_ = ("code", "n.jsonl", "--model", gguf)
    clh(*run_, "-o", "whole.jsonl", cwd=tmp_path)
    child = subprocess.Popen(
        [sys.executable, "-m", "clhcode", *map(str, run_), "-o", "out.jsonl"],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    while kept(tmp_path / "out.jsonl.answers") < 20:
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    told = clh(*run_, "-o", "out.jsonl", cwd=tmp_path).stderr
    assert "answers remembered" in told
    assert (tmp_path / "out.jsonl").read_text() == (tmp_path / "whole.jsonl").read_text()
    # And with the answers of the whole run nothing is asked at all.
    (tmp_path / "whole.jsonl").rename(tmp_path / "before.jsonl")
    told = clh(*run_, "-o", "whole.jsonl", "--cache", "only", cwd=tmp_path).stderr
    assert " 0 evaluated, 0 written" in told
    assert (tmp_path / "before.jsonl").read_text() == (tmp_path / "whole.jsonl").read_text()


def test_four_piped_stages_give_what_code_gives(gguf, tmp_path):
    (tmp_path / "n.txt").write_text(NOTE)
    model = ("--model", str(gguf))
    whole = clh("code", "n.txt", *model, "--format", "jsonl", cwd=tmp_path).stdout
    me = f"{sys.executable} -m clhcode"
    stages = " | ".join(f"{me} {agent} --model {gguf}" for agent in AGENTS[1:])
    line = f"{me} analyse n.txt --model {gguf} | {stages} --format jsonl"
    piped = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(piped.stdout) == json.loads(whole)
