"""Chat templates as transformers renders them, and what base models get."""

import pytest

from clhcode.errors import UserError
from clhcode.runtime.model import Prompt
from clhcode.runtime.template import messages, spoken

PROMPT = Prompt("What is it?", "Be brief.", answer='{"choice":')
CHATML = (
    "{% for message in messages %}\n<|{{ message.role }}|>{{ message.content }}{{ '\n' }}"
    "{% endfor %}\n{% if add_generation_prompt %}\n<|assistant|>{% endif %}"
)


def test_a_template_makes_the_text_and_the_answer_goes_on():
    assert spoken(PROMPT, CHATML) == (
        '<|system|>Be brief.\n<|user|>What is it?\n<|assistant|>{"choice":'
    )


def test_special_tokens_are_what_the_model_calls_them():
    template = "{{ bos_token }}{{ messages[-1]['content'] }}{{ eos_token }}"
    assert spoken(Prompt("x"), template, ("<s>", "</s>")) == "<s>x</s>"


def test_a_template_without_a_system_role_gets_it_before_the_question():
    template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}{% endfor %}"
    )
    assert spoken(Prompt("What?", "Be brief."), template) == "[user] Be brief.\n\nWhat?"


def test_a_base_model_gets_plain_text():
    assert spoken(PROMPT, None) == 'Be brief.\n\nWhat is it?\nAnswer:\n{"choice":'


def test_plain_prompts_stand_as_they_are_whatever_the_model():
    plain = Prompt("ICD-10-CM diagnosis: Gout\nIndexed under:", plain=True)
    assert spoken(plain, CHATML) == spoken(plain, None) == plain.user


def test_blocks_leave_no_blank_lines_and_loops_may_break():
    template = (
        "{% for m in messages %}\n{% if loop.index > 1 %}{% break %}{% endif %}\nx\n{% endfor %}"
    )
    assert spoken(PROMPT, template) == 'x\n{"choice":'


@pytest.mark.parametrize(
    "template", ["{{ nothing.at.all }}", "{% if %}", "{{ ''.__class__.mro() }}"]
)
def test_a_template_that_fails_is_told(template):
    with pytest.raises(UserError, match="chat template"):
        spoken(PROMPT, template)


def test_messages_without_a_system_text():
    assert messages(Prompt("x")) == [{"role": "user", "content": "x"}]
