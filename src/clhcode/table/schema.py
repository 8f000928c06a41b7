"""The shape of the one table, said once.

`COLUMNS` is plain Python: the Arrow schema, the reader of JSON and the decoder of
Arrow columns are all derived from it, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from clhcode.records import (
    ASSERTIONS,
    Candidate,
    Code,
    Condition,
    Dropped,
    Encounter,
    Failure,
    Note,
    Span,
    Turn,
)

if TYPE_CHECKING:
    import pyarrow as pa

RUNS = "clh.runs"
"""The key of the schema metadata that holds `{run_id: config}` as JSON."""

REQUIRED: Any = object()
"""The default of a field that has none."""

Kind = Literal["string", "int16", "int32", "float32"]
HIGHEST: dict[str, int] = {"int16": 2**15 - 1, "int32": 2**31 - 1}


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value. Every number of the table counts something, so none is below zero.

    Attributes:
        high: The greatest integer allowed.
        choices: What a word may be, in lower case, and what it is stored as.
    """

    kind: Kind
    high: int = 0
    choices: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Many:
    """A list of `item`, held in `make`."""

    item: Shape
    make: Callable[[list[Any]], Any] = tuple


@dataclass(frozen=True, slots=True)
class Field:
    """A named member. `default` stands in for null and for a member that is not there."""

    name: str
    shape: Shape
    default: Any = REQUIRED


@dataclass(frozen=True, slots=True)
class Record:
    """A struct.

    Attributes:
        fields: Its members, in the order of the Arrow type.
        make: Builds the value from the members named in `order`, by position.
        take: Gets a member of a value.
    """

    fields: tuple[Field, ...]
    order: tuple[int, ...]
    make: Callable[..., Any]
    take: Callable[[Any, str], Any] = getattr


Shape: TypeAlias = Scalar | Many | Record


def _fields(kind: type, shapes: Mapping[str, Shape]) -> tuple[Field, ...]:
    """The fields of a dataclass, in the order of `shapes`, with the dataclass's defaults."""
    defaults = {f.name: REQUIRED if f.default is MISSING else f.default for f in fields(kind)}
    return tuple(Field(name, shape, defaults[name]) for name, shape in shapes.items())


def _record(kind: type, /, **shapes: Shape) -> Record:
    names = list(shapes)
    order = tuple(names.index(f.name) for f in fields(kind))
    return Record(_fields(kind, shapes), order, kind)


def _mention(code: str, system: str, evidence: list[Any]) -> dict[str, Any]:
    return {"code": code, "system": system, "evidence": list(evidence)}


def _place(note: int, begin: int, end: int) -> dict[str, int]:
    return {"note": note, "begin": begin, "end": end}


STRING = Scalar("string")
INT16 = Scalar("int16", HIGHEST["int16"])
INT32 = Scalar("int32", HIGHEST["int32"])
FLOAT32 = Scalar("float32")
STRINGS = Many(STRING)
INDEXES = Many(INT16)

SEX = Scalar("string", choices={"f": "female", "female": "female", "m": "male", "male": "male"})
AGE = Scalar("int16", high=150)
SETTING = Scalar("string", choices={s: s for s in ("inpatient", "outpatient")})
ASSERTION = Scalar("string", choices={a: a for a in ASSERTIONS})

SPAN = _record(Span, note=INT16, begin=INT32, end=INT32)
CANDIDATE = _record(
    Candidate,
    code=STRING,
    path=STRINGS,
    source=STRING,
    score=FLOAT32,
    confidence=FLOAT32,
    verdict=STRING,
    reason=STRING,
    applied=STRINGS,
)
CONDITION = _record(
    Condition,
    quote=STRING,
    evidence=Many(SPAN),
    section=STRING,
    lead_term=STRING,
    modifiers=STRINGS,
    assertion=ASSERTION,
    candidates=Many(CANDIDATE),
)

# Gold is nobody's record: it passes through as plain lists and dicts.
PLACE = Record(tuple(Field(f.name, f.shape) for f in SPAN.fields), (0, 1, 2), _place, dict.get)
MENTION = Record(
    (
        Field("code", STRING),
        Field("system", STRING, "icd10cm"),
        Field("evidence", Many(Many(PLACE, list), list), ()),
    ),
    (0, 1, 2),
    _mention,
    dict.get,
)

_ENCOUNTER: dict[str, Shape] = {
    "encounter_id": STRING,
    "dataset": STRING,
    "split": STRING,
    "subject_id": STRING,
    "sex": SEX,
    "age": AGE,
    "setting": SETTING,
    "notes": Many(_record(Note, note_id=STRING, category=STRING, text=STRING)),
    "conditions": Many(CONDITION),
    "codes": Many(
        _record(
            Code,
            code=STRING,
            sequence=INT16,
            confidence=FLOAT32,
            conditions=INDEXES,
            rationale=STRING,
        )
    ),
    "dropped": Many(
        _record(Dropped, code=STRING, conditions=INDEXES, edit=STRING, because_of=STRING)
    ),
    "errors": Many(_record(Failure, stage=STRING, kind=STRING, message=STRING, raw=STRING)),
    "transcript": Many(_record(Turn, agent=STRING, question=STRING, thought=STRING, answer=STRING)),
    "flags": STRINGS,
    "runs": STRINGS,
}
GOLD = Field("gold", Many(MENTION, list), None)
_OWN = _fields(Encounter, _ENCOUNTER)

COLUMNS: tuple[Field, ...] = (*_OWN[:8], GOLD, *_OWN[8:])
"""The columns of the table, in order."""

KEYS: tuple[str, ...] = tuple(c.name for c in COLUMNS)
"""The names of the columns, in order."""

FLAT: tuple[str, ...] = (
    *("encounter_id", "note_id", "category", "text", "subject_id", "dataset", "split"),
    *("sex", "age", "setting", "gold"),
)
"""What a table of single notes may hold; only `text` is needed."""


def arrow_type(shape: Shape) -> pa.DataType:
    """The Arrow type of a shape. Every member may be null."""
    import pyarrow as pa

    if isinstance(shape, Scalar):
        return getattr(pa, shape.kind)()
    if isinstance(shape, Many):
        return pa.list_(arrow_type(shape.item))
    return pa.struct([(f.name, arrow_type(f.shape)) for f in shape.fields])


def schema(runs: Mapping[str, object] | None = None) -> pa.Schema:
    """The Arrow schema of the table.

    Args:
        runs: The configurations of the runs behind the rows, by run id; kept as metadata.
    """
    import orjson
    import pyarrow as pa

    metadata = {RUNS: orjson.dumps(dict(runs))} if runs else None
    return pa.schema([(c.name, arrow_type(c.shape)) for c in COLUMNS], metadata=metadata)
