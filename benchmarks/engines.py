"""Language-model engines: answers that hold, prefixes read once, what `clh` costs beside them.

    python benchmarks/engines.py answers  --model M [--engine E] [-n 200]
    python benchmarks/engines.py prefix   --model M [--engine E]
    python benchmarks/engines.py overhead --model M [--engine E] [-n 24]
    python benchmarks/engines.py logs     --model M --engine llamacpp|vllm|transformers -o F.json
    python benchmarks/engines.py agree A.json B.json [...]

Questions are those that the demonstration encounters give rise to under the rules, so that each
kind of question comes as it really is.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from clhcode.agents.tools import Tools
from clhcode.datasets.demo import demo_file
from clhcode.icd.sources import choose
from clhcode.icd.store import open_store
from clhcode.pipeline import code
from clhcode.records import Note
from clhcode.runtime.model import Prompt, Rate, Rated, Write
from clhcode.runtime.pick import Setup, choose_engine, open_model
from clhcode.runtime.rules import RulesEngine
from clhcode.runtime.sampling import Manner, Sampling
from clhcode.runtime.speak import most_tokens, prompt, schema
from clhcode.runtime.text import RATED, TextEngine
from clhcode.search.find import open_finder
from clhcode.table.read import read
from clhcode.talk import drive
from clhcode.tasks import AGENTS, Choose, Chosen, Extract, Extracted, Fault

PAIRS = (
    ("Unspecified asthma, uncomplicated", "Asthma, asthmatic"),
    ("Essential (primary) hypertension", "Hypertension, hypertensive"),
    ("Gout, unspecified", "Gout, gouty"),
    ("Fracture of unspecified part of neck of left femur", "Fracture, femur, neck"),
    ("Type 2 diabetes mellitus without complications", "Diabetes, type 2"),
    ("Acute cystitis without hematuria", "Cystitis, acute"),
    ("Unspecified atrial fibrillation", "Fibrillation, atrial"),
    ("Iron deficiency anemia, unspecified", "Anemia, iron deficiency"),
)
"""Title and phrase, for likelihoods."""


class Recorder:
    """The rules, remembering what they were asked."""

    def __init__(self, finder):
        self.rules, self.asked = RulesEngine(finder), []
        self.ready = self.rules.ready

    def submit(self, ticket, task):
        self.asked.append(task)
        self.rules.submit(ticket, task)


def opened():
    """The finder over the classification at hand."""
    store, key = open_store(choose())
    return open_finder(store, key)


def encounters():
    """The demonstration encounters."""
    return [row.encounter for batch in read(demo_file()) for row in batch]


def demo_tasks(finder, count):
    """Questions of the demonstration encounters, kinds mixed; more by notes told apart."""
    recorder = Recorder(finder)
    tools = Tools(finder.store, finder)
    list(drive((code(e, tools) for e in encounters()), recorder))
    kinds = {}
    for task in recorder.asked:
        kinds.setdefault(type(task).__name__ + getattr(task, "step", ""), []).append(task)
    mixed = [
        tasks[n]
        for n in range(max(map(len, kinds.values())))
        for tasks in kinds.values()
        if n < len(tasks)
    ]
    found = []
    for turn in range(1 + count // len(mixed)):
        found += [_told_apart(task, turn) for task in mixed]
    return found[:count]


def _told_apart(task, turn):
    if not turn:
        return task
    mark = Note(f"turn{turn}", f"Copy {turn}.")
    return replace(task, notes=(*task.notes, mark))


def ask(engine, tasks, width=64):
    """Replies in order, `width` questions under way."""
    replies, waiting, rest = {}, 0, iter(enumerate(tasks))
    while len(replies) < len(tasks):
        while waiting < width and (item := next(rest, None)):
            engine.submit(*item)
            waiting += 1
        for ticket, reply in engine.ready():
            replies[ticket] = reply
            waiting -= 1
    return [replies[n] for n in range(len(tasks))]


def answers(engine, tasks):
    """What came back, counted: every answer is sound, or cut."""
    replies = ask(engine, tasks)
    kinds, numbers, stands = Counter(), Counter(), Counter()
    outside = 0
    for task, reply in zip(tasks, replies, strict=True):
        kinds[reply.kind if isinstance(reply, Fault) else "sound"] += 1
        if isinstance(reply, Chosen) and isinstance(task, Choose):
            numbers.update(reply.numbers or (0,))
            outside += sum(not 1 <= n <= len(task.options) for n in reply.numbers)
        if isinstance(reply, Extracted) and isinstance(task, Extract):
            text = task.notes[task.note].text
            stands.update(f.quote in text for f in reply.findings)
    return {
        "answers": len(tasks),
        "kinds": dict(kinds),
        "outside": outside,
        "numbers": dict(sorted(numbers.items())),
        "quotes": sum(stands.values()),
        "quotes_in_note": stands[True],
    }


def model_of(name, engine=None, **options):
    """A model as `clh` opens it."""
    choice = choose_engine(engine, name)
    return open_model(choice, Setup(dict.fromkeys(AGENTS, choice), **options))


def unique(sequences, block=1):
    """Tokens of the trie of sequences, shared ones counted once, by whole blocks."""
    ordered = sorted(tuple(s) for s in sequences)
    total = len(ordered[0])
    for before, now in pairwise(ordered):
        shared = next(
            (n for n, (a, b) in enumerate(zip(before, now, strict=False)) if a != b),
            min(len(before), len(now)),
        )
        total += len(now) - shared // block * block
    return total


class Listening:
    """A model whose prompts are written down as tokens."""

    def __init__(self, model):
        self.model, self.prompts = model, []

    def __getattr__(self, name):
        return getattr(self.model, name)

    def submit(self, ticket, request):
        if isinstance(request, Write):
            vllm = type(self.model).__name__ == "VllmModel"
            self.prompts.append(self.model.prompt_tokens(request.prompt if vllm else request))
        self.model.submit(ticket, request)


def prefix(model, finder, block=1):
    """Tokens evaluated over all questions of one long encounter, beside the unique ones."""
    listening = Listening(model)
    engine = TextEngine(listening)
    long = max(encounters(), key=lambda e: sum(len(n.text) for n in e.notes))
    note = long.notes[0]
    text = note.text
    while model.count(text) < 600:
        text += "\n\n" + note.text.replace(".", f" ({len(text)}).", 3)
    encounter = replace(long, notes=(replace(note, text=text), *long.notes[1:]))
    recorder = Recorder(finder)
    list(drive([code(encounter, Tools(finder.store, finder))], recorder))
    rounds = {}
    for task in recorder.asked:
        rounds.setdefault(task.agent, []).append(task)
    before = model.usage.evaluated
    for tasks in rounds.values():
        ask(engine, tasks)
    evaluated = model.usage.evaluated - before
    alone = unique(listening.prompts, block)
    return {
        "note_tokens": model.count(text),
        "questions": len(recorder.asked),
        "sent": sum(map(len, listening.prompts)),
        "unique": alone,
        "evaluated": evaluated,
        "ratio": evaluated / alone,
    }


def written_by(model, requests):
    """Tokens a second through `clh`."""
    before, began = model.usage.generated, time.perf_counter()
    for ticket, request in enumerate(requests):
        model.submit(ticket, request)
    done = 0
    while done < len(requests):
        done += len(list(model.ready()))
    return (model.usage.generated - before) / (time.perf_counter() - began)


def bare_llamacpp(path, requests, tokens):
    """Tokens a second of llama-cpp-python's own completion, one after another, as it works."""
    from llama_cpp import Llama, LlamaGrammar

    from clhcode.runtime.grammar import gbnf

    llama = Llama(str(path), n_ctx=8_192, verbose=False)
    made, began = 0, time.perf_counter()
    for request, prompt_tokens in zip(requests, tokens, strict=True):
        grammar = None
        if request.schema is not None:
            grammar = LlamaGrammar.from_string(gbnf(request.schema), verbose=False)
        out = llama.create_completion(
            prompt_tokens, max_tokens=request.most, temperature=0.0, grammar=grammar
        )
        made += out["usage"]["completion_tokens"]
    rate = made / (time.perf_counter() - began)
    llama.close()
    return rate


def bare_vllm(model, requests, tokens):
    """Tokens a second of one `generate` over the same prompts and bounds."""
    from clhcode.runtime.vllm import _params

    params = [_params(request, request.most) for request in requests]
    began = time.perf_counter()
    outs = model._llm.generate([{"prompt_token_ids": t} for t in tokens], params, use_tqdm=False)
    return sum(len(o.outputs[0].token_ids) for o in outs) / (time.perf_counter() - began)


def overhead(name, engine, finder, count, repeats):
    """Constrained and free tokens a second through `clh` and without it, in turn."""
    tasks = demo_tasks(finder, count)
    bound = [Write(prompt(t), schema(t), Sampling(), min(96, most_tokens(t))) for t in tasks]
    free = [replace(each, schema=None, most=32) for each in bound]
    found = {}
    for what, requests in (("constrained", bound), ("free", free)):
        rounds = rounds_vllm if engine == "vllm" else rounds_llamacpp
        ours, bare = zip(*rounds(name, requests, repeats), strict=True)
        found[what] = {
            "clh": statistics.median(ours),
            "bare": statistics.median(bare),
            "ratio": statistics.median(ours) / statistics.median(bare),
            "rounds": [round(a / b, 2) for a, b in zip(ours, bare, strict=True)],
        }
    return found


def rounds_llamacpp(name, requests, repeats):
    """Each with a model of its own, since each has a cache of its own."""
    for _ in range(repeats):
        model = model_of(name)
        tokens = [model.prompt_tokens(r) for r in requests]
        ours = written_by(model, requests)
        model.close()
        yield ours, bare_llamacpp(name, requests, tokens)


def rounds_vllm(name, requests, repeats):
    """Both on one engine, warm, its prefix cache empty; who is first changes by the round."""
    model = model_of(name, "vllm")
    tokens = [model.prompt_tokens(r.prompt) for r in requests]
    written_by(model, requests)
    for n in range(repeats):
        rates = {}
        for which in ("clh", "bare") if n % 2 else ("bare", "clh"):
            model._llm.reset_prefix_cache()
            if which == "clh":
                rates[which] = written_by(model, requests)
            else:
                rates[which] = bare_vllm(model, requests, tokens)
        yield rates["clh"], rates["bare"]
    model.close()


def pairs_request():
    """The likelihoods that `logs` asks for."""
    return Rate(
        tuple(Prompt(RATED.format(text=title), plain=True) for title, _ in PAIRS),
        tuple(f" {phrase}" for _, phrase in PAIRS),
    )


def logs(name, engine):
    """Log-likelihood of each pair's phrase after its title, and how many tokens it has."""
    if engine == "transformers":
        return logs_of_transformers(name)
    model = model_of(name, engine)
    model.submit(0, pairs_request())
    ((_, output),) = list(model.ready())
    assert isinstance(output, Rated)
    sizes = [model.count(f" {phrase}") for _, phrase in PAIRS]
    model.close()
    return {"engine": engine, "logs": output.logs, "tokens": sizes}


def logs_of_transformers(name):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(name)
    model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32).eval()
    found, sizes = [], []
    for title, phrase in PAIRS:
        head = tokenizer(RATED.format(text=title)).input_ids
        whole = tokenizer(f"{RATED.format(text=title)} {phrase}").input_ids
        with torch.no_grad():
            rows = model(torch.tensor([whole])).logits[0].log_softmax(-1)
        places = range(len(head), len(whole))
        found.append(sum(rows[n - 1, whole[n]].item() for n in places))
        sizes.append(len(whole) - len(head))
    return {"engine": "transformers", "logs": found, "tokens": sizes}


def agree(files):
    """The largest difference a token between the first file and each other."""
    first, *others = [json.loads(Path(file).read_text()) for file in files]
    print(f"{'phrase':<30}" + "".join(f"{each['engine']:>14}" for each in (first, *others)))
    for n, (_, phrase) in enumerate(PAIRS):
        row = "".join(f"{each['logs'][n]:>14.3f}" for each in (first, *others))
        print(f"{phrase:<30}{row}")
    for other in others:
        gaps = [
            abs(a - b) / size
            for a, b, size in zip(first["logs"], other["logs"], first["tokens"], strict=True)
        ]
        print(f"{first['engine']} and {other['engine']}: at most {max(gaps):.4f} a token apart")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("answers", "prefix", "overhead", "logs", "agree"))
    parser.add_argument("files", nargs="*")
    parser.add_argument("--model")
    parser.add_argument("--engine")
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("-n", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("-o")
    args = parser.parse_args()
    if args.what == "agree":
        agree(args.files)
        return
    if args.what == "logs":
        found = logs(args.model, args.engine)
    elif args.what == "overhead":
        found = overhead(args.model, args.engine, opened(), args.n, args.repeats)
    else:
        finder, model = opened(), model_of(args.model, args.engine)
        began = time.perf_counter()
        if args.what == "prefix":
            found = prefix(model, finder, block=32 if args.engine == "vllm" else 1)
        else:
            manner = Manner(sampling=Sampling(temperature=args.temperature))
            engine = TextEngine(model, dict.fromkeys(AGENTS, manner))
            found = answers(engine, demo_tasks(finder, args.n))
            found["seconds"] = round(time.perf_counter() - began, 1)
            found["generated"] = model.usage.generated
        model.close()
    print(json.dumps(found, indent=1))
    if args.o:
        Path(args.o).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
