"""Which files make a set, wherever in a tree or a zip it lies."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clhcode.download.pick import find, fits, placed
from clhcode.download.sources import SOURCES

THREE = SOURCES["mimic-iii"]
FOUR = SOURCES["mimic-iv"]
NAMES = THREE.files


@pytest.mark.parametrize(
    ("path", "pattern", "fitting"),
    [
        ("NOTEEVENTS.csv.gz", "NOTEEVENTS.csv.gz", True),
        ("noteevents.CSV.gz", "NOTEEVENTS.csv.gz", True),
        ("NOTEEVENTS.csv", "NOTEEVENTS.csv.gz", True),
        ("a/NOTEEVENTS.csv.gz", "NOTEEVENTS.csv.gz", False),
        ("XNOTEEVENTS.csv.gz", "NOTEEVENTS.csv.gz", False),
        ("hosp/patients.csv.gz", "hosp/patients.csv.gz", True),
        ("icu/patients.csv.gz", "hosp/patients.csv.gz", False),
        ("data/1_2_3.json", "data/*.json", True),
        ("data/old/1_2_3.json", "data/*.json", False),
        ("a/b/x_split.feather", "**/x_split.feather", True),
        ("x_split.feather", "**/x_split.feather", True),
    ],
)
def test_patterns(path, pattern, fitting):
    assert fits(path, pattern) is fitting


@pytest.mark.parametrize("top", ["", "mimiciii/1.4/", "physionet.org/files/mimiciii/1.4/"])
def test_a_set_is_found_where_it_lies(top):
    paths = [top + name for name in (*NAMES, "CALLOUT.csv.gz", "LICENSE.txt")]
    found = find(paths, THREE)
    assert (found.top, found.lacking) == (top, ())
    assert set(found.paths) == {top + name for name in (*NAMES, "LICENSE.txt")}
    assert set(placed(found, THREE).values()) == {*NAMES, "LICENSE.txt"}
    assert set(find(paths, THREE, whole=True).paths) == set(paths)


def test_the_nearest_of_two_is_taken():
    paths = [f"{top}{name}" for top in ("", "old/1.3/") for name in NAMES]
    assert set(find(paths, THREE).paths) == set(NAMES)


def test_what_is_lacking_is_told_of_the_fullest():
    paths = ["PATIENTS.csv.gz", *(f"b/{name}" for name in NAMES[:-1])]
    found = find(paths, THREE)
    assert (found.top, found.lacking) == ("b/", NAMES[-1:])


def test_nothing_is_found_in_nothing():
    assert find([], THREE).lacking == NAMES


def test_splits_lie_in_folders_or_side_by_side():
    source = SOURCES["splits"]
    names = [pattern.removeprefix("**/") for pattern in source.files]
    deep = {n: f"r-1/files/data/{n.rpartition('_')[0]}/{n}" for n in names}
    found = find([*deep.values(), "r-1/files/data/mimiciv_icd9/mimiciv_icd9_x.feather"], source)
    assert placed(found, source) == {
        path: f"{name.rpartition('_')[0]}/{name}" for name, path in deep.items()
    }
    assert placed(find(names, source), source) == dict(zip(names, names, strict=True))


def test_other_folders_of_aci_bench_are_not_its_notes():
    source = SOURCES["aci-bench"]
    names = [*source.files, "clinicalnlp_taskB_test1.csv", "clinicalnlp_taskB_test1_metadata.csv"]
    inner = "aci-bench-HEAD/data/challenge_data/"
    other = "aci-bench-HEAD/data/src_experiment_data/train_aci_asr_metadata.csv"
    found = find([*(inner + name for name in names), other], source)
    assert sorted(placed(found, source).values()) == sorted(names)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "hosp", "x.y"]), max_size=4), st.data())
def test_a_set_is_found_below_any_folder(folders, data):
    top = "".join(f"{folder}/" for folder in folders)
    strays = data.draw(st.lists(st.sampled_from(["icu/a.csv.gz", "index.html", "hosp/z.csv.gz"])))
    found = find([top + name for name in (*FOUR.files, *strays)], FOUR)
    assert sorted(placed(found, FOUR).values()) == sorted(FOUR.files)
