"""vLLM in this process (its CPU build), on a model of random weights."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("vllm")

from benchmarks.engines import answers, ask, demo_tasks, prefix
from clhcode.errors import UserError
from clhcode.records import Note, Span
from clhcode.runtime.model import Prompt, Rate, Write
from clhcode.runtime.sampling import Manner, Sampling
from clhcode.runtime.template import messages
from clhcode.runtime.text import TextEngine
from clhcode.runtime.vllm import VllmModel
from clhcode.tasks import AGENTS, Choose, Option


def run(model, requests):
    for ticket, request in enumerate(requests):
        model.submit(ticket, request)
    found = {}
    while len(found) < len(requests):
        found.update(model.ready())
    return [found[n] for n in range(len(requests))]


@pytest.mark.parametrize("text", ["What now?", "Ünïcode ❤ 1. J45.909 asthma\n\ttabs"])
def test_a_prompt_is_what_the_tokenizers_own_template_makes(vllm_model, text):
    prompt = Prompt(text, "Be brief.")
    tokenizer = vllm_model._llm.get_tokenizer()
    own = tokenizer.apply_chat_template(
        messages(prompt), add_generation_prompt=True, tokenize=True, return_dict=False
    )
    assert vllm_model.prompt_tokens(prompt) == list(own)


def test_answers_are_sound_whatever_the_weights_say(vllm_model, finder):
    engine = TextEngine(
        vllm_model, dict.fromkeys(AGENTS, Manner(sampling=Sampling(temperature=1.0)))
    )
    found = answers(engine, demo_tasks(finder, 200))
    assert set(found["kinds"]) <= {"sound", "cut"}
    assert found["kinds"]["sound"] >= 160
    assert found["outside"] == 0
    assert len(found["numbers"]) > 3


def test_a_long_notes_prefix_is_read_once(vllm_model, finder):
    vllm_model._llm.reset_prefix_cache()
    found = prefix(vllm_model, finder, block=32)
    assert found["note_tokens"] >= 600
    assert found["sent"] > 3 * found["unique"]
    assert found["ratio"] <= 1.1


def test_free_text_and_its_bound(vllm_model):
    (found,) = run(vllm_model, [Write(Prompt("Say on."), None, Sampling(), 7)])
    assert (found.finish, bool(found.text)) == ("length", True)


def test_likelihoods_are_those_of_transformers(vllm_model, hf_folder):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    titles = ("Mild asthma", "Severe asthma", "Gout")
    prompts = tuple(Prompt(f"Title: {t}\nIndexed under:", plain=True) for t in titles)
    (found,) = run(vllm_model, [Rate(prompts, (" Asthma, mild",) * 3)])
    tokenizer = AutoTokenizer.from_pretrained(hf_folder)
    model = AutoModelForCausalLM.from_pretrained(hf_folder, dtype=torch.float32).eval()
    for log, prompt in zip(found.logs, prompts, strict=True):
        head = tokenizer(prompt.user).input_ids
        whole = tokenizer(f"{prompt.user} Asthma, mild").input_ids
        with torch.no_grad():
            rows = model(torch.tensor([whole])).logits[0].log_softmax(-1)
        places = range(len(head), len(whole))
        own = sum(rows[n - 1, whole[n]].item() for n in places)
        assert log == pytest.approx(own, abs=0.01 * len(places))


def test_numbers_are_rated_as_whole_texts_would_be(vllm_model):
    """Token by token after the prefix cache, or read with the prompt: the same sums."""
    options = tuple(Option(f"J{n}", f"Kind {n}", score=0.0) for n in range(12))
    notes = (Note("a", "Asthma. " * 40),)
    task = Choose("locate", "entry", notes, "asthma", (Span(0, 0, 6),), options, several=True)
    engine = TextEngine(vllm_model, dict.fromkeys(AGENTS, Manner(choose="score")))
    (reply,) = ask(engine, [task])
    from clhcode.runtime.speak import CHOICE, prompt
    from clhcode.runtime.template import spoken
    from clhcode.runtime.text import _one_of

    text = spoken(prompt(_one_of(task)), vllm_model._template, ("<s>", "</s>")) + CHOICE
    ids = vllm_model._tokenizer.encode(text, add_special_tokens=False)
    for number, log in enumerate(reply.scores, 1):
        rest = vllm_model._tokenizer.encode(f"{text}{number}}}", add_special_tokens=False)
        assert rest[: len(ids)] == ids
        from vllm import SamplingParams

        read = SamplingParams(max_tokens=1, prompt_logprobs=0)
        (out,) = vllm_model._llm.generate([{"prompt_token_ids": rest}], read, use_tqdm=False)
        whole = sum(out.prompt_logprobs[n][rest[n]].logprob for n in range(len(ids), len(rest)))
        assert log == pytest.approx(whole, abs=0.01)


def test_an_adapter_changes_what_is_said(hf_folder, tmp_path):
    """A LoRA adapter's folder runs on the model it names."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(1)
    weights = {}
    for layer in range(2):
        name = f"base_model.model.model.layers.{layer}.self_attn.q_proj"
        weights[f"{name}.lora_A.weight"] = torch.randn(8, 128)
        weights[f"{name}.lora_B.weight"] = torch.randn(128, 8)
    save_file(weights, tmp_path / "adapter_model.safetensors")
    config = {
        "base_model_name_or_path": str(hf_folder),
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": 8,
        "lora_alpha": 16,
        "target_modules": ["q_proj"],
    }
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    script = (
        "import sys\n"
        "from clhcode.runtime.vllm import VllmModel\n"
        "from clhcode.runtime.model import Prompt, Write\n"
        "from clhcode.runtime.sampling import Sampling\n"
        "model = VllmModel(sys.argv[1], options={'kv_cache_memory_bytes': 64 << 20})\n"
        "model.submit(0, Write(Prompt('Say on.'), None, Sampling(), 12))\n"
        "print('SAID', list(model.ready())[0][1].text.encode().hex())\n"
        "model.close()\n"
    )
    said = []
    for model in (tmp_path, hf_folder):
        done = subprocess.run(
            [sys.executable, "-c", script, str(model)],
            capture_output=True, text=True, check=True, env=os.environ,
        )  # fmt: skip
        said.append(done.stdout.split("SAID ")[1].strip())
    assert said[0] != said[1]


def test_what_cannot_be_loaded_is_one_line(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="vLLM cannot load"):
        VllmModel(str(tmp_path))
