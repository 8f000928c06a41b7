"""MedDEC, SNOMED entities and phenotypes: every span reads the word that was put there."""

from collections import Counter

import mimic_files as made
import pytest
from mimic_files import Stay, Style

from clhcode.datasets.phenotypes import PHENOTYPES, agreed
from clhcode.datasets.registry import Raw, dataset
from clhcode.errors import UserError

OFFICIAL, PLAIN = Style(), Style(zipped=False)
CATEGORIES = ("Category 1: Contact related", "Category 3: Defining problem")


def rows(name, folder, **others):
    raw = Raw(folder, {key.replace("_", "-"): path for key, path in others.items()})
    return list(dataset(name).rows()(raw)), raw.left_out


def read(row):
    """(code, word) of each span of a row."""
    text = row.encounter.notes[0].text
    return [
        (gold["code"], text[place["begin"] : place["end"]])
        for gold in row.gold
        for (place,) in gold["evidence"]
    ]


def over_mimic(tmp_path, count, style=OFFICIAL):
    """Notes of `count` stays with sentinel words, and where these stand."""
    stays, places = [], {}
    for n in range(count):
        text, found = made.marked(n, [f"sentinel{n}a", f"sentinel{n}\u4e2db", f"two\r\nlines{n}"])
        stays.append(Stay(200 + n, 10 + n, [(500 + n, "2150-01-01", False, text)], ["4019"]))
        places[f"{10 + n}_{200 + n}_{500 + n}"] = found
    return made.mimic_iii(tmp_path / "mimic", stays, style), places


@pytest.mark.parametrize("style", [Style(), Style(shuffled=True, zipped=False)])
def test_decisions_read_their_words(tmp_path, style):
    mimic, places = over_mimic(tmp_path, 9, style)
    notes = [
        (
            name,
            ("train", "train", "val", "test")[n % 4],
            [(begin, end, f" {CATEGORIES[i % 2]}") for i, (begin, end) in enumerate(found)],
        )
        for n, (name, found) in enumerate(places.items())
    ]
    made.meddec(tmp_path / "meddec", notes)
    found, left_out = rows("meddec", tmp_path / "meddec", mimic_iii=mimic)
    assert [row.encounter.encounter_id for row in found] == list(places)
    assert Counter(row.encounter.split for row in found) == {"train": 5, "val": 2, "test": 2}
    for n, row in enumerate(found):
        assert read(row) == [
            (CATEGORIES[0], f"sentinel{n}a"),
            (CATEGORIES[0], f"two\r\nlines{n}"),
            (CATEGORIES[1], f"sentinel{n}\u4e2db"),
        ]
        assert {gold["system"] for gold in row.gold} == {"meddec"}
        assert (row.encounter.subject_id, row.encounter.notes[0].note_id) == (
            str(10 + n),
            str(500 + n),
        )
    assert left_out == {}


def test_decisions_without_a_place_are_counted(tmp_path):
    mimic, places = over_mimic(tmp_path, 1)
    ((name, ((begin, end), *_)),) = places.items()
    annotations = [(begin, end, "TBD"), (begin, 99_999, CATEGORIES[0]), (end, begin, CATEGORIES[0])]
    made.meddec(tmp_path / "meddec", [(name, "test", annotations)])
    ((row,), left_out) = rows("meddec", tmp_path / "meddec", mimic_iii=mimic)
    assert row.gold == []
    assert left_out == {
        "annotations without a category (TBD)": 1,
        "annotations outside their text": 2,
    }


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("11_200_500", "ROW_ID 500 is of another stay in NOTEEVENTS: is this MIMIC-III 1.4?"),
        ("10_200_999", r"1 of 1 annotated notes are not there \(the first: ROW_ID 999\)"),
        ("a_b_c", "the name is not SUBJECT_HADM_ROWID.json"),
    ],
)
def test_decisions_of_another_note_are_told(tmp_path, name, says):
    mimic, _ = over_mimic(tmp_path, 1)
    made.meddec(tmp_path / "meddec", [(name, "test", [])])
    with pytest.raises(UserError, match=says):
        rows("meddec", tmp_path / "meddec", mimic_iii=mimic)


def test_a_meddec_file_of_something_else_is_told(tmp_path):
    mimic, _ = over_mimic(tmp_path, 1)
    made.meddec(tmp_path / "meddec", [("10_200_500", "test", [])])
    path = tmp_path / "meddec/data/10_200_500.json"
    path.write_text("[]")
    with pytest.raises(UserError, match="not a MedDEC file"):
        rows("meddec", tmp_path / "meddec", mimic_iii=mimic)
    (tmp_path / "meddec/val.txt").unlink()
    with pytest.raises(UserError, match=r"no `val.txt` here \(--from names"):
        rows("meddec", tmp_path / "meddec", mimic_iii=mimic)


@pytest.mark.parametrize("style", [Style(), Style(shuffled=True, zipped=False)])
def test_concepts_read_their_words(tmp_path, style):
    texts, annotations = [], []
    for n in range(12):
        text, found = made.marked(n, [f"sentinel{n}a", f"a, {chr(34)}sentinel{chr(34)}{n}"])
        texts.append([n, f"{n}-DS-1", text])
        for number, (begin, end) in enumerate(found):
            annotations.append([f"{n}-DS-1", begin, end, str(10_000 + number)])
    texts.append([12, "12-DS-1", "not annotated"])
    texts.append(texts[0])
    annotations += [["0-DS-1", 5, 99_999, "1"], ["99-DS-1", 1, 2, "1"]]
    notes = tmp_path / "mimic-iv_notes_training_set"
    made.csv_file(notes, ("", "note_id", "text"), texts, style, quoted=False)
    columns = ("note_id", "start", "end", "concept_id")
    made.csv_file(tmp_path / "train_annotations", columns, annotations, style, quoted=False)
    found, left_out = rows("snomed-entity", tmp_path)
    assert [row.encounter.encounter_id for row in found] == [f"{n}-DS-1" for n in range(13)]
    for n, row in enumerate(found[:12]):
        assert read(row) == [("10000", f"sentinel{n}a"), ("10001", f'a, "sentinel"{n}')]
        assert (row.encounter.split, row.encounter.subject_id) == ("train", str(n))
        assert {gold["system"] for gold in row.gold} == {"snomed"}
    assert found[12].gold is None
    assert left_out == {
        "notes that are there twice": 1,
        "annotations outside their text": 1,
        "annotations of a note that is not there": 1,
    }


def reading(row, operator, *names, subject=10):
    columns = ("HADM_ID", "SUBJECT_ID", "ROW_ID", *PHENOTYPES, "NONE", "UNSURE")
    marks = [int(name in names) for name in columns[3:]]
    return [200, subject, row, *marks, 1, operator]


def act(folder, readings, style=PLAIN):
    columns = ("HADM_ID", "SUBJECT_ID", "ROW_ID", *PHENOTYPES, "NONE", "UNSURE")
    table = (*columns, "BATCH.ID", "OPERATOR")
    made.csv_file(folder / "act/ACTdb102003", table, readings, style, quoted=False)
    path = next((folder / "act").iterdir())
    # The published file has its capitals, whatever the style says.
    path.rename(path.with_name(f"ACTdb102003.csv{'.gz' if style.zipped else ''}"))
    return folder / "act"


@pytest.mark.parametrize("style", [Style(zipped=False), Style(zipped=False, shuffled=True)])
def test_phenotypes_hold_where_most_operators_see_them(tmp_path, style):
    mimic, _ = over_mimic(tmp_path, 4)
    readings = [
        reading(500, "A", "OBESITY", "DEPRESSION"),
        reading(500, "B", "OBESITY"),
        reading(500, "C", "DEMENTIA", "DEPRESSION", "OBESITY"),
        reading(501, "A", "NONE", subject=11),
        reading(501, "B", "OBESITY", subject=11),
        reading(502, "A", "UNSURE", "OBESITY", subject=12),
        reading(503, "A", "OBESITY", subject=13),
        reading(503, "A", "DEMENTIA", subject=13),
    ]
    found, left_out = rows("phenotypes", act(tmp_path, readings, style), mimic_iii=mimic)
    assert [(r.encounter.encounter_id, r.gold and [g["code"] for g in r.gold]) for r in found] == [
        ("10_200_500", ["DEPRESSION", "OBESITY"]),
        ("11_201_501", []),
        ("12_202_502", None),
        ("13_203_503", ["DEMENTIA", "OBESITY"]),
    ]
    assert {(g["system"], len(g["evidence"])) for g in found[0].gold} == {("phenotype", 0)}
    assert "sentinel0a" in found[0].encounter.notes[0].text
    assert left_out == {
        "phenotypes that at most half of a note's operators see": 2,
        "readings that are UNSURE": 1,
        "gold of notes without a reading that counts": 1,
        "further rows of one operator, joined to the first": 1,
    }


def test_a_contradiction_does_not_count():
    left_out = Counter()
    assert agreed([{"NONE", "OBESITY"}, {"OBESITY"}], left_out) == ["OBESITY"]
    assert left_out == {"readings that say NONE and a phenotype": 1}


def test_phenotypes_of_another_release_are_told(tmp_path):
    mimic, _ = over_mimic(tmp_path, 1)
    folder = act(tmp_path, [reading(500, "A", "OBESITY", subject=99)])
    with pytest.raises(UserError, match="ROW_ID 500 is of another patient in NOTEEVENTS"):
        rows("phenotypes", folder, mimic_iii=mimic)
    (folder / "ACTdb102003.csv").write_text("ROW_ID,SUBJECT_ID,OPERATOR,ADVANCED.CANCER\n")
    with pytest.raises(UserError, match=r"no column ADVANCED\.HEART\.DISEASE"):
        rows("phenotypes", folder, mimic_iii=mimic)
