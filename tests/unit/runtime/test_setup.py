"""Options and the configuration file as one setup."""

import pytest

from clhcode.errors import UserError
from clhcode.runtime.by_agent import ByAgent
from clhcode.runtime.pick import start_engine
from clhcode.runtime.probe import Probes
from clhcode.runtime.sampling import Sampling
from clhcode.runtime.setup import Wishes, setup_of
from clhcode.tasks import Extract, Fault

ALL = Probes(cuda=True, llamacpp=True, vllm=True)
URL = "http://127.0.0.1:8000/v1"


def setup(**wishes):
    return setup_of(Wishes(**wishes), ALL)


def test_nothing_is_the_rules():
    made = setup()
    assert made.named() == "rules"
    assert made.describe() == "rules (no model given)"
    assert not made.speaks


def test_a_model_for_all_and_another_for_one():
    made = setup(model=("m.gguf", f"assign={URL}"))
    assert [made.choices[a].name for a in ("analyse", "locate", "verify")] == ["llamacpp"] * 3
    assert made.choices["assign"].model == URL
    assert made.named() == "llamacpp + openai"
    assert made.describe().endswith(f"assign: openai {URL}")
    assert len(made.different) == 2


def test_only_one_agent_may_have_a_model():
    made = setup(model=("locate=m.gguf",))
    assert made.named() == "rules + llamacpp"
    assert made.remote is None


def test_knobs_by_agent_over_knobs_for_all():
    made = setup(
        sampling=("temperature=0.5", "analyse.temperature=0", "analyse.max_tokens=900"),
        choose=("score", "assign=generate"),
        reasoning=("verify=256",),
        prompt=("locate=alone",),
    )
    assert made.manners["verify"].sampling == Sampling(temperature=0.5)
    assert made.manners["analyse"].sampling == Sampling(temperature=0.0, max_tokens=900)
    assert [made.manners[a].choose for a in ("locate", "assign")] == ["score", "generate"]
    assert made.manners["verify"].reasoning == 256
    assert (made.manners["locate"].prompt, made.manners["verify"].prompt) == ("alone", "context")


def test_a_file_says_the_same_and_the_command_line_goes_first(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text(
        f'model = "m.gguf"\nchoose = "score"\ncontext = 4096\nkeep_raw = true\n'
        "[sampling]\ntemperature = 0.5\n[server]\nseconds = 9\n[vllm]\ntensor_parallel_size = 2\n"
        f'[assign]\nmodel = "{URL}"\nreasoning = 64\n[assign.sampling]\nseed = 7\n'
    )
    made = setup(config=file)
    assert made.named() == "llamacpp + openai"
    assert (made.context, made.keep_raw) == (4096, True)
    assert made.manners["assign"].sampling == Sampling(temperature=0.5, seed=7)
    assert made.manners["assign"].reasoning == 64
    assert made.server == (("seconds", "9"),)
    assert made.options == {"tensor_parallel_size": 2}
    over = setup(config=file, model=("assign=b.gguf",), sampling=("temperature=0",), context=512)
    assert over.choices["assign"].model == "b.gguf"
    assert over.manners["assign"].sampling == Sampling(seed=7)
    assert over.context == 512


def test_a_preset_gives_way_to_what_is_said():
    made = setup(preset="clh-paper", reasoning=("0",))
    assert {m.prompt for m in made.manners.values()} == {"paper"}
    assert {m.reasoning for m in made.manners.values()} == {0}


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        ({"model": ("a.gguf", "b.gguf")}, "--model is given twice"),
        ({"model": ("locate=a.gguf", "locate=b.gguf")}, "given twice for locate"),
        ({"sampling": ("heat=1",)}, "no sampling option `heat`"),
        ({"sampling": ("coder.seed=1",)}, "no agent `coder`"),
        ({"sampling": ("seed=1.5",)}, "no number it can take"),
        ({"sampling": ("temperature=-1",)}, "no number it can take"),
        ({"sampling": ("temperature",)}, "NAME=VALUE"),
        ({"choose": ("guess",)}, "--choose guess"),
        ({"reasoning": ("much",)}, "--reasoning much"),
        ({"preset": "best"}, "no preset `best`"),
        ({"server": ("seconds",)}, "--server seconds"),
    ],
)
def test_what_is_wrong_is_told(wishes, says):
    with pytest.raises(UserError, match=says):
        setup(**wishes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model = ", "not TOML"),
        ("modell = 'a'", "no option `modell`"),
        ("sampling = 1", r"`sampling` is a table"),
        ("[locate]\ncontext = 1", r"\[locate\] has no `context`"),
    ],
)
def test_a_bad_file_is_told_by_name(tmp_path, text, says):
    file = tmp_path / "c.toml"
    file.write_text(text)
    with pytest.raises(UserError, match=says) as told:
        setup(config=file)
    assert "c.toml" in str(told.value)
    with pytest.raises(UserError, match="No such file"):
        setup(config=tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "says"),
    [("{{ nothing }}", "'nothing' is undefined"), ("{% if %}", "Expected an expression")],
)
def test_a_bad_prompt_is_told_before_anything_is_asked(finder, tmp_path, text, says):
    file = tmp_path / "p.j2"
    file.write_text(text)
    made = setup(model=(URL,), prompt=(f"locate={file}",))
    with pytest.raises(UserError, match=says):
        start_engine(made, finder)
    with pytest.raises(UserError, match="neither a file nor one of alone, context, paper"):
        start_engine(setup(model=(URL,), prompt=("locate=mine",)), finder)


class Named:
    """An engine that answers with its own name."""

    def __init__(self, name, width=8):
        self.name, self.width, self.asked, self.closed = name, width, [], False

    def submit(self, ticket, task):
        self.asked.append((ticket, Fault(self.name, "")))

    def ready(self):
        asked, self.asked = self.asked, []
        assert asked
        return asked

    def close(self):
        self.closed = True


def test_each_agents_questions_go_to_its_engine():
    one, two = Named("one"), Named("two", width=3)
    engine = ByAgent({"analyse": one, "locate": two, "verify": two, "assign": one})
    for ticket, agent in enumerate(("analyse", "locate", "verify", "assign", "verify")):
        engine.submit(ticket, Extract(agent, (), 0))
    found = {}
    while len(found) < 5:
        found.update(engine.ready())
    assert [found[n].kind for n in range(5)] == ["one", "two", "two", "one", "two"]
    engine.close()
    assert (engine.width, one.closed, two.closed) == (3, True, True)
