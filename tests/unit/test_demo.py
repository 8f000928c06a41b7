import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "data" / "demo"


@pytest.fixture(scope="module")
def make():
    spec = spec_from_file_location("demo_make", DEMO / "make.py")
    module = module_from_spec(spec)
    # Dataclasses look their module up by name.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, "demo_make", module)
        spec.loader.exec_module(module)
        yield module


@pytest.fixture(scope="module")
def tabular(make):
    return make.Tabular.read()


def test_has_no_faults(make):
    assert list(make.faults()) == []


def test_shape(make):
    lines = make.TABLE.read_text("utf-8").rstrip("\n").split("\n")
    encounters = [json.loads(line) for line in lines]
    assert len({e["encounter_id"] for e in encounters}) == len(encounters) == 43
    assert sum(len(e["notes"]) > 1 for e in encounters) == 15
    for e in encounters:
        assert (e["dataset"], e["split"]) == ("demo", "test")
        assert e["sex"] in ("female", "male")
        assert e["setting"] in ("inpatient", "outpatient")
        assert all(300 <= len(note["text"]) <= 3_000 for note in e["notes"])
        assert e["gold"]
        assert all(gold["evidence"] for gold in e["gold"])


@pytest.mark.parametrize(
    ("code", "base"),
    [
        ("I10", "I10"),
        ("W11.XXXD", "W11"),
        ("T38.0X5A", "T38.0X5"),
        ("S52.532A", "S52.532"),
        ("S52.532", None),
        ("S52.521B", None),  # a torus fracture is never open: the nearer definition holds
        ("S52.53XA", None),
        ("E11.2", None),
        ("I10.XXXA", None),
        ("W11", None),
    ],
)
def test_knows_billable_codes(tabular, code, base):
    assert tabular.base(code) == base


def test_knows_excludes1(tabular):
    assert tabular.excluded("F17.210", "Z87.891")
    assert tabular.excluded("E11.9", "E10.9")  # (E10.-)
    assert tabular.excluded("R73.9", "E11.9")  # (E08-E13)
    assert not tabular.excluded("E11.9", "I10")


@pytest.mark.parametrize(
    ("quote", "nth", "spans"),
    [
        ("no fever", "", [(0, 8)]),
        ("fever", "2", [(15, 20)]),
        ("fever ... chills", "1", [(3, 8), (21, 27)]),
        ("cough fever", "", [(9, 20)]),
    ],
)
def test_finds_quotes(make, quote, nth, spans):
    assert make.find("no fever cough\nfever\nchills", quote, nth) == spans


@pytest.mark.parametrize(
    ("quote", "nth"),
    [
        ("fever", ""),
        ("fever", "3"),
        ("fever", "0"),
        ("rash", ""),
        ("ever", ""),
        ("chills ... fever", ""),
    ],
)
def test_refuses_doubtful_quotes(make, quote, nth):
    with pytest.raises(make.SourceError):
        make.find("no fever cough\nfever\nchills", quote, nth)
