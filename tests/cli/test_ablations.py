"""Taking an agent's work away changes the result in the way its name says, and no other."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from clhcode.policy import WORKS
from tests.cli.run import clh, text
from tests.cli.table import codes, demo_rows, read_rows, real_rows, write_lines

NOTE = {
    "encounter_id": "example",
    "notes": [
        {
            "note_id": "n1",
            "text": (
                "Assessment:\n1. Denies chest pain.\n2. Asthma. Asthma is stable.\n"
                "3. Closed fracture of the lower end of the left radius.\n"
                "4. Chronic kidney disease. Chronic kidney disease stage 4.\n"
                "5. Type 1 diabetes mellitus.\n6. Type 2 diabetes mellitus.\n"
            ),
        }
    ],
}


@pytest.fixture(scope="module", params=["demo", "real"])
def runs(request, tmp_path_factory):
    """The rows of the whole method, under None, and without each work; the example is first."""
    folder = tmp_path_factory.mktemp("runs")
    if request.param == "demo":
        rows = [NOTE, *demo_rows()]
    else:
        notes = [{**row, "encounter_id": row["note_id"]} for row in real_rows()]
        rows = [NOTE, *({"encounter_id": n["note_id"], "notes": [n]} for n in notes)]
    source = write_lines(folder / "n.jsonl", rows)

    def rows_of(work):
        target = folder / f"{work}.jsonl"
        text("code", source, "-o", target, *(("--without", work) if work else ()))
        return read_rows(target)

    works = (None, *WORKS)
    with ThreadPoolExecutor() as pool:
        return dict(zip(works, pool.map(rows_of, works), strict=True))


@pytest.fixture
def example(runs):
    """The example's row of each run."""
    return {work: rows[0] for work, rows in runs.items()}


def pairs(runs, work):
    """Each row of the whole method with the same row without a work."""
    return list(zip(runs[None], runs[work], strict=True))


def conditions(row, *less):
    return [{k: v for k, v in c.items() if k not in less} for c in row["conditions"]]


def count(rows):
    return sum(len(codes(row)) for row in rows)


def looked_up(rows):
    return sum(c["candidates"] is not None for row in rows for c in row["conditions"])


def test_without_assertion_what_is_denied_is_coded(example):
    assert "R07.9" not in codes(example[None])
    assert "R07.9" in codes(example["assertion"])


def test_without_assertion_everything_is_present_and_looked_up(runs):
    rows = runs["assertion"]
    assert {c["assertion"] for row in rows for c in row["conditions"]} == {"present"}
    assert looked_up(rows) == sum(len(row["conditions"]) for row in rows) > looked_up(runs[None])


def test_without_retrieval_nothing_is_found(runs):
    assert count(runs[None])
    assert count(runs["retrieval"]) == 0
    assert not any(c["candidates"] for row in runs["retrieval"] for c in row["conditions"])
    assert looked_up(runs["retrieval"]) == looked_up(runs[None])


def test_without_specificity_a_header_stays_a_header_and_is_rejected(example):
    assert "S52.502A" in codes(example[None])
    assert not any(code.startswith("S52") for code in codes(example["specificity"]))
    (fracture,) = (
        c for c in example["specificity"]["conditions"] if c["quote"].startswith("fracture")
    )
    (first, *_) = fracture["candidates"]
    assert (first["verdict"], first["reason"]) == ("rejected", f"{first['code']} is a header")
    assert not first["applied"]


def test_without_specificity_headers_and_only_headers_are_rejected_as_such(runs, store):
    chosen = [
        candidate
        for row in runs["specificity"]
        for condition in row["conditions"]
        for candidate in condition["candidates"] or ()
        if candidate["verdict"] != "passed over"
    ]
    headers = [c for c in chosen if not store.node(c["code"]).billable]
    assert headers
    assert headers == [c for c in chosen if c["reason"] == f"{c['code']} is a header"]
    assert {c["verdict"] for c in headers} == {"rejected"}
    assert count(runs["specificity"]) < count(runs[None])


def test_without_merging_every_mention_keeps_its_code(example):
    assert codes(example[None]).count("J45.909") == 1
    assert codes(example["merging"]).count("J45.909") == 2


def test_without_merging_the_general_code_stays_beside_the_special_one(example):
    assert "N18.9" not in codes(example[None])
    assert {"N18.9", "N18.4"} <= set(codes(example["merging"]))


def test_without_merging_codes_that_exclude_each_other_stay(example):
    assert len({"E10.9", "E11.9"} & set(codes(example[None]))) == 1
    assert {"E10.9", "E11.9"} <= set(codes(example["merging"]))
    assert b"EX101" in clh("edits", *codes(example["merging"])).stdout


def test_without_merging_every_accepted_candidate_is_a_code_of_its_own(runs):
    for row in runs["merging"]:
        accepted = [
            (candidate["code"], [number])
            for number, condition in enumerate(row["conditions"])
            for candidate in condition["candidates"] or ()
            if candidate["verdict"] == "accepted"
        ]
        assert sorted((c["code"], c["conditions"]) for c in row["codes"]) == sorted(accepted)
        assert row["dropped"] == []
    assert count(runs["merging"]) > count(runs[None])


MAY_CHANGE = {
    "assertion": ("assertion", "candidates"),
    "retrieval": ("candidates",),
    "specificity": ("candidates",),
    "merging": (),
}
"""What a work that is taken away may change of a condition; the rest of it stays."""


@pytest.mark.parametrize("work", WORKS)
def test_what_comes_before_the_work_is_untouched(work, runs):
    for whole, less in pairs(runs, work):
        assert conditions(less, *MAY_CHANGE[work]) == conditions(whole, *MAY_CHANGE[work])
        later = {"conditions", "codes", "dropped", "runs"}
        assert all(less[name] == whole[name] for name in whole.keys() - later)


def test_specificity_leaves_what_was_passed_over_before_it(runs):
    def passed_over(row):
        return [
            [c for c in condition["candidates"] or () if c["verdict"] == "passed over"]
            for condition in row["conditions"]
        ]

    assert all(
        passed_over(less) == passed_over(whole) for whole, less in pairs(runs, "specificity")
    )


def test_each_ablation_is_a_run_of_its_own_name(runs):
    names = [tuple(row["runs"]) for rows in runs.values() for row in rows]
    assert len(set(names)) == 1 + len(WORKS)
