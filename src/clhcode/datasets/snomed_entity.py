"""SNOMED CT Entity Linking Challenge 1.0.0: concepts in discharge summaries of MIMIC-IV.

Layout (PhysioNet `snomed-ct-entity-challenge/1.0.0`):

    mimic-iv_notes_training_set.csv   note_id, text
    train_annotations.csv             note_id, start, end, concept_id

Offsets count code points of the text as it stands between the quotes, half-open. Both files may
begin with a column of row numbers. The text comes with the set: MIMIC-IV-Note is not needed.

An encounter is a note, called by its note_id (`SUBJECT-DS-NUMBER`); the code is the concept's
number. All are of the split `train`: the notes of the challenge's test are not published. Ours: a
note without annotations has no gold, since nobody tells whether it was read. The stay of a note
stands in MIMIC-IV-Note alone: where that is at hand, and the splits of MIMIC-IV are, a row's flags
tell in which split its stay is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from clhcode.datasets.csvfile import find
from clhcode.datasets.csvfile import rows as read
from clhcode.datasets.gold import Mention, golden, place
from clhcode.datasets.registry import Raw
from clhcode.datasets.splits import flags_of
from clhcode.errors import UserError
from clhcode.records import Encounter, Note
from clhcode.table.convert import Row


def rows(raw: Raw) -> Iterator[Row]:
    """One encounter a note, in the order of the file."""
    left_out = raw.left_out
    notes = find(raw.folder, "mimic-iv_notes_training_set", "--from")
    path = find(raw.folder, "train_annotations", "--from")
    mentions: dict[str, list[tuple[int, int, str]]] = {}
    columns = ("note_id", "start", "end", "concept_id")
    for number, (note_id, start, end, concept) in enumerate(read(path, columns, left_out), 1):
        try:
            where = int(start), int(end), concept.strip()
        except ValueError:
            raise UserError(f"{path}: row {number}: start and end must be numbers") from None
        mentions.setdefault(note_id, []).append(where)
    texts = list(read(notes, ("note_id", "text"), left_out))
    placed = _placed(raw, {note_id for note_id, _ in texts})
    seen = set()
    for note_id, text in texts:
        if note_id in seen:
            left_out["notes that are there twice"] += 1
            continue
        seen.add(note_id)
        found: list[tuple[str, str, Mention]] = []
        for begin, end_, concept in mentions.get(note_id, ()):
            if 0 <= begin < end_ <= len(text):
                found.append(("snomed", concept, [place(0, begin, end_)]))
            else:
                left_out["annotations outside their text"] += 1
        encounter = Encounter(
            note_id,
            (Note(note_id, text, "Discharge summary"),),
            dataset="snomed-entity",
            split="train",
            subject_id=note_id.split("-")[0],
            setting="inpatient",
            flags=placed(note_id),
        )
        yield Row(encounter, golden(found) if note_id in mentions else None)
    strays = sum(len(found) for name, found in mentions.items() if name not in seen)
    if strays:
        left_out["annotations of a note that is not there"] += strays


def _placed(raw: Raw, wanted: Collection[str]) -> Callable[[str], tuple[str, ...]]:
    """From a note to the flags of its stay; the big file is read no further than the last note."""
    folder, splits = raw.others.get("mimic-iv-note"), raw.others.get("splits")
    unknown = flags_of(None, "snomed-entity")(0)
    if folder is None or splits is None:
        return lambda note: unknown
    placed = flags_of(splits, "snomed-entity")
    missing, found = set(wanted), dict[str, tuple[str, ...]]()
    path = find(folder, "discharge", "--mimic-iv-note")
    for note, stay in read(path, ("note_id", "hadm_id"), raw.left_out):
        if note in missing:
            missing.discard(note)
            number = stay.strip().removesuffix(".0")
            found[note] = placed(int(number) if number.isdigit() else None)
            if not missing:
                break
    return lambda note: found.get(note, unknown)
