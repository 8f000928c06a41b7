"""Readable cases: notes with the codes a coder gives them, in Markdown files beside this one.

A case is a `##` heading, optional `key: value` lines (`sex`, `age`, `setting`), one fenced
block `note` for each note, and a list:

    - E11.22 type 2 diabetes      the code is given, and the words stand in its evidence
    - not R07.9                   the code is not given
    - dropped E11.9 EX204         the edit took it out
    - dropped R30.0 not-chosen    the set goes without it
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from clhcode.agents.assign import NOT_CHOSEN
from clhcode.agents.tools import Tools
from clhcode.pipeline import code
from clhcode.records import Encounter, Note
from clhcode.runtime.rules import RulesEngine
from clhcode.talk import drive

FILES = sorted(Path(__file__).parent.glob("*.md"))
_CODE = r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?"
_GIVEN = re.compile(rf"- ({_CODE}) (.+)")
_NOT = re.compile(rf"- not ({_CODE})")
_DROPPED = re.compile(rf"- dropped ({_CODE}) ([A-Z]{{2}}\d{{3}}|{NOT_CHOSEN})")
_KEY = re.compile(r"(?:sex: (?:female|male)|age: \d+|setting: (?:inpatient|outpatient))")


@dataclass
class Case:
    title: str
    keys: dict
    notes: list
    given: list
    absent: list
    dropped: list


def parse(text):
    """The cases of a file; a line that is neither is an error."""
    cases = []
    above, *blocks = re.split(r"(?m)^## ", text)
    if above.strip() and not re.fullmatch(r"# .+", above.strip()):
        raise ValueError(f"above the first case: not understood: {above.strip()}")
    for block in blocks:
        title, _, body = block.partition("\n")
        notes = re.findall(r"(?ms)^```note\n(.*?)^```$", body)
        case = Case(title.strip(), {}, notes, [], [], [])
        for line in re.sub(r"(?ms)^```note\n.*?^```$", "", body).splitlines():
            if not line.strip():
                continue
            if _KEY.fullmatch(line):
                key, _, value = line.partition(": ")
                case.keys[key] = int(value) if key == "age" else value
            elif match := _NOT.fullmatch(line):
                case.absent.append(match[1])
            elif match := _DROPPED.fullmatch(line):
                case.dropped.append((match[1], match[2]))
            elif match := _GIVEN.fullmatch(line):
                case.given.append((match[1], match[2].lower()))
            else:
                raise ValueError(f"{case.title}: not understood: {line}")
        if not notes or not (case.given or case.absent or case.dropped):
            raise ValueError(f"{case.title}: needs a note and what is expected of it")
        cases.append(case)
    return cases


ALL = [case for file in FILES for case in parse(file.read_text("utf-8"))]


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.title.replace(" ", "-"))
def test_case(case, indexed_finder):
    notes = tuple(Note(f"n{n}", text) for n, text in enumerate(case.notes, 1))
    tools = Tools(indexed_finder.store, indexed_finder)
    talk = code(Encounter("case", notes, **case.keys), tools)
    (done,) = drive([talk], RulesEngine(indexed_finder))
    given = {
        c.code: " | ".join(done.conditions[n].quote.lower() for n in c.conditions)
        for c in done.codes
    }
    for code_, words in case.given:
        assert code_ in given, f"{code_} is missing among {sorted(given)}"
        assert words in given[code_]
    assert not set(case.absent) & set(given)
    dropped = {(d.code, d.edit) for d in done.dropped}
    assert set(case.dropped) <= dropped


@pytest.mark.parametrize(
    "text",
    [
        "## t\n- I10 hypertension\n",
        "## t\n```note\nx\n```\n",
        "## t\n```note\nx\n```\n- maybe I10\n",
        "## t\n```note\nx\n- I10 hypertension\n",
        "## t\nsetting: inpatent\n```note\nx\n```\n- I10 hypertension\n",
        "## t\nage: old\n```note\nx\n```\n- I10 hypertension\n",
        "## t\n```note\nx\n```\n- I10\n",
        "## t\n```note\nx\n```\n- not hypertension\n",
        "## t\n```note\nx\n```\n- dropped I10 because\n",
        "Something.\n## t\n```note\nx\n```\n- not I10\n",
    ],
)
def test_a_malformed_file_is_an_error(text):
    with pytest.raises(ValueError, match=r"not understood|needs a note"):
        parse(text)


def test_there_are_cases():
    assert len(ALL) >= 25
    assert len({case.title for case in ALL}) == len(ALL)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.title.replace(" ", "-"))
def test_every_code_of_a_case_can_be_reported(case, indexed_finder):
    """A code mistyped behind `not` would never be given, and its line never fail."""
    codes = {code_ for code_, _ in (*case.given, *case.dropped)} | set(case.absent)
    nodes = {code_: indexed_finder.store.node(code_) for code_ in codes}
    assert [code_ for code_, node in nodes.items() if node is None or not node.billable] == []
