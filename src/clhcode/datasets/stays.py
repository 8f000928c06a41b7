"""Hospital stays with their notes and codes, joined on disk: what MIMIC-III and MIMIC-IV share.

The big tables are read once, as streams, into a database of DuckDB in the folder of the run:

    code    stay, kind (0 diagnosis, 1 procedure), place, system, code
    note    stay, subject, written, place, note_id, category, begin, size (of its text)
    person  stay, sex, age
    split   stay, split
    flag    stay, flag

Then notes and codes come back in the order of the stays, side by side, so that one stay at a time
is in memory. Texts lie in a file beside the database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from clhcode.datasets.dots import SYSTEMS, Form, printed
from clhcode.datasets.gold import golden
from clhcode.datasets.overlap import OVERLAPS, SUBJECT, flag
from clhcode.datasets.splits import others, read_splits
from clhcode.datasets.workbench import Texts, load
from clhcode.records import Encounter, Note
from clhcode.table.convert import Row

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

OLDEST = 89
"""Above this age MIMIC hides the true one; whoever is older is given as one year more."""

BATCH = 10_000
"""Notes that go into the database at once, and rows that come back."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Which of the stays and codes a data set is of.

    Attributes:
        name: Of the data set.
        splits: File of its splits.
        split_only: Whether a stay that is in no split is left out.
        codes: The only codes, as (system, code); all otherwise.
        most: Only so many codes, the most frequent ones of train.
        fewest: Only codes that so many stays have, with notes and codes, in any split or none.
    """

    name: str
    splits: str
    split_only: bool = False
    codes: frozenset[tuple[str, str]] | None = None
    most: int | None = None
    fewest: int = 1


@dataclass(frozen=True, slots=True)
class CodeFile:
    """A file of codes by stay.

    Attributes:
        columns: Its columns for `stay`, `place`, `code` and, where there is one, `version`.
        procedures: Whether its codes are of procedures.
    """

    path: Path
    columns: dict[str, str]
    procedures: bool


class StayNote(NamedTuple):
    """A note on its way into the database.

    Attributes:
        written: When it was written, in a form that sorts.
        place: What tells notes of the same time apart.
    """

    stay: int
    subject: str
    written: str
    place: int
    note_id: str
    category: str
    text: str


def add_codes(
    connection: DuckDBPyConnection, files: Iterable[CodeFile], version: str, left_out: Counter[str]
) -> None:
    """Makes the table `code` of the codes of one version, each once a stay, with their dots."""
    connection.execute(
        "CREATE TABLE code (stay BIGINT, kind TINYINT, place INTEGER, system VARCHAR, code VARCHAR)"
    )
    for file in files:
        load(connection, "given", file.path, file.columns)
        own = "version" if "version" in file.columns else f"'{version}'"
        name = file.path.name
        unnamed, lost, others = _one(
            connection,
            "SELECT count_if(code IS NULL),"
            " count_if(code IS NOT NULL AND TRY_CAST(stay AS BIGINT) IS NULL),"
            f" count_if(code IS NOT NULL AND {own} IS DISTINCT FROM ?) FROM given",
            version,
        )
        _count(left_out, f"rows of {name} without a code", unnamed)
        _count(left_out, f"rows of {name} without a stay", lost)
        _count(left_out, f"codes of {name} of another version than ICD-{version}", others)
        _printed(connection, (version, file.procedures))
        connection.execute(
            f"CREATE TABLE fit AS SELECT TRY_CAST(stay AS BIGINT) AS stay,"
            " TRY_CAST(place AS INTEGER) AS place, system, printed AS code"
            f" FROM given JOIN form ON given.code = form.plain WHERE {own} = ?"
            " AND TRY_CAST(stay AS BIGINT) IS NOT NULL",
            [version],
        )
        connection.execute(
            f"INSERT INTO code SELECT stay, {int(file.procedures)}, min(place), system, code"
            " FROM fit GROUP BY stay, system, code"
        )
        (twice,) = _one(
            connection,
            "SELECT (SELECT count(*) FROM fit) - (SELECT count(*) FROM code WHERE kind = ?)",
            int(file.procedures),
        )
        _count(left_out, f"rows of {name} that repeat a code of their stay", twice)
        for table in ("given", "form", "fit"):
            connection.execute(f"DROP TABLE {table}")


def _printed(connection: DuckDBPyConnection, form: Form) -> None:
    """The table `form`: each way a code is written in `given`, and how its book prints it."""
    import pyarrow as pa

    found = connection.execute("SELECT DISTINCT code FROM given WHERE code IS NOT NULL ORDER BY 1")
    plain = [code for (code,) in found.fetchall()]
    table = {
        "plain": pa.array(plain, pa.string()),
        "printed": pa.array([printed(code, form) for code in plain], pa.string()),
    }
    _put(connection, "form", pa.table(table))
    connection.execute(f"ALTER TABLE form ADD COLUMN system VARCHAR DEFAULT '{SYSTEMS[form]}'")


def coded_stays(connection: DuckDBPyConnection) -> set[int]:
    """The stays that have a code."""
    return {s for (s,) in connection.execute("SELECT DISTINCT stay FROM code").fetchall()}


def add_notes(
    connection: DuckDBPyConnection,
    notes: Iterable[StayNote],
    texts: Texts,
    left_out: Counter[str],
) -> None:
    """Makes the table `note` and keeps the texts; a note whose id has been there is left out."""
    import pyarrow as pa

    connection.execute(
        "CREATE TABLE note (stay BIGINT, subject VARCHAR, written VARCHAR, place BIGINT,"
        " note_id VARCHAR, category VARCHAR, begin BIGINT, size BIGINT)"
    )
    seen: set[str] = set()
    held: list[tuple[object, ...]] = []
    columns = (*StayNote._fields[:-1], "begin", "size")

    def put() -> None:
        values = (list(column) for column in zip(*held, strict=True))
        connection.register("batch", pa.table(dict(zip(columns, values, strict=True))))
        connection.execute("INSERT INTO note SELECT * FROM batch")
        connection.unregister("batch")

    for note in notes:
        if note.note_id in seen:
            left_out["notes that are there twice"] += 1
            continue
        seen.add(note.note_id)
        held.append((*note[:-1], *texts.put(note.text)))
        if len(held) == BATCH:
            put()
            held.clear()
    if held:
        put()


def stays(
    connection: DuckDBPyConnection, cut: Cut, splits: Path, texts: Texts, left_out: Counter[str]
) -> Iterator[Row]:
    """The encounters, in the order of their numbers; needs `code`, `note` and `person`.

    A stay without a note, without a code, or without a code that the data set is of, is left
    out and counted.
    """
    _put(connection, "split", read_splits(splits, cut.splits))
    _choose(connection, cut, left_out)
    _flag(connection, cut.name, splits)
    about = _cursor(
        connection,
        "SELECT stay, min(split), min(sex), min(age),"
        " list(DISTINCT flag ORDER BY flag) FILTER (flag IS NOT NULL)"
        " FROM kept LEFT JOIN split USING (stay) LEFT JOIN person USING (stay)"
        " LEFT JOIN flag USING (stay) GROUP BY stay ORDER BY stay",
    )
    notes = _cursor(
        connection,
        "SELECT stay, subject, note_id, category, begin, size FROM note SEMI JOIN kept USING (stay)"
        " ORDER BY stay, written, place, note_id",
    )
    codes = _cursor(
        connection,
        "SELECT stay, system, code FROM code SEMI JOIN wanted USING (system, code)"
        " ORDER BY stay, kind, place NULLS LAST, code",
    )
    stay = itemgetter(0)
    for one, (noted, written), (billed, coded) in zip(
        about, groupby(notes, stay), groupby(codes, stay), strict=True
    ):
        number, split, sex, age, flags = one
        if not number == noted == billed:
            raise RuntimeError(f"stay {number} came back beside {noted} and {billed}")
        found = list(written)
        encounter = Encounter(
            str(number),
            tuple(Note(name, texts.get(*place), kind) for _, _, name, kind, *place in found),
            dataset=cut.name,
            split=split,
            subject_id=found[0][1],
            sex=sex,
            age=age,
            setting="inpatient",
            flags=tuple(flags or ()),
        )
        yield Row(encounter, golden((system, code, []) for _, system, code in coded))


def _flag(connection: DuckDBPyConnection, name: str, splits: Path) -> None:
    """Makes `flag`: the splits of other data sets with the stay, and those with its patient."""
    connection.execute("CREATE TABLE flag (stay BIGINT, flag VARCHAR)")
    for other, table in others(splits, name).items():
        connection.register("given_table", table)
        prefix = flag(OVERLAPS, other)
        connection.execute(
            f"INSERT INTO flag SELECT stay, '{prefix}/' || split FROM given_table"
            " SEMI JOIN kept USING (stay)"
        )
        connection.unregister("given_table")
    connection.execute(
        "CREATE TABLE home AS SELECT stay, min(subject) AS subject, min(split) AS split"
        " FROM note SEMI JOIN kept USING (stay) LEFT JOIN split USING (stay) GROUP BY stay"
    )
    connection.execute(
        f"INSERT INTO flag SELECT DISTINCT mine.stay, '{flag(SUBJECT, name)}/' || theirs.split"
        " FROM home AS mine JOIN home AS theirs USING (subject)"
        " WHERE theirs.split IS NOT NULL AND theirs.split IS DISTINCT FROM mine.split"
    )


def _choose(connection: DuckDBPyConnection, cut: Cut, left_out: Counter[str]) -> None:
    """Makes `wanted`, the codes of the data set, and `kept`, its stays."""
    _count(
        left_out,
        "stays with codes and no discharge summary",
        *_one(connection, "SELECT count(DISTINCT stay) FROM code ANTI JOIN note USING (stay)"),
    )
    connection.execute("DELETE FROM code WHERE stay NOT IN (SELECT stay FROM note)")
    _keep(connection, cut, left_out)
    if cut.split_only:
        left = "SELECT count(DISTINCT stay) FROM code ANTI JOIN split USING (stay)"
        _count(left_out, "stays that are in no split", *_one(connection, left))
        connection.execute("DELETE FROM code WHERE stay NOT IN (SELECT stay FROM split)")
    (before,) = _one(connection, "SELECT count(DISTINCT stay) FROM code")
    (away,) = _one(connection, "SELECT count(*) FROM code ANTI JOIN wanted USING (system, code)")
    _count(left_out, "codes that the data set is not of", away)
    connection.execute(
        "CREATE TABLE kept AS SELECT DISTINCT stay FROM code SEMI JOIN wanted USING (system, code)"
    )
    (after,) = _one(connection, "SELECT count(*) FROM kept")
    _count(left_out, "stays without a code that the data set is of", before - after)
    lost = "SELECT count(*) FROM split ANTI JOIN kept USING (stay)"
    _count(left_out, "stays of the split file that are not here", *_one(connection, lost))


def _keep(connection: DuckDBPyConnection, cut: Cut, left_out: Counter[str]) -> None:
    """The table `wanted`: the codes that the data set is of."""
    import pyarrow as pa

    if cut.codes is not None:
        pairs = sorted(cut.codes)
        columns = {"system": [s for s, _ in pairs], "code": [c for _, c in pairs]}
        _put(connection, "wanted", pa.table(columns))
        return
    among = " SEMI JOIN (FROM split WHERE split = 'train') USING (stay)" if cut.most else ""
    first = f" ORDER BY count(*) DESC, system, code LIMIT {cut.most}" if cut.most else ""
    connection.execute(
        f"CREATE TABLE wanted AS SELECT system, code FROM code{among}"
        f" GROUP BY system, code HAVING count(*) >= {cut.fewest}{first}"
    )
    if cut.fewest > 1:
        rare = (
            "SELECT count(*) FROM"
            " (SELECT DISTINCT system, code FROM code ANTI JOIN wanted USING (system, code))"
        )
        told = f"different codes of fewer than {cut.fewest} stays"
        _count(left_out, told, *_one(connection, rare))


def age_of(born: str, then: str) -> str:
    """SQL for the age in whole years between two dates, null where it cannot be."""
    born, then = (f"TRY_CAST({date} AS TIMESTAMP)" for date in (born, then))
    early = f"(month({then}), day({then})) < (month({born}), day({born}))"
    return capped(f"(year({then}) - year({born}) - CASE WHEN {early} THEN 1 ELSE 0 END)")


def capped(years: str) -> str:
    """SQL for an age as the table holds it: the oldest are `OLDEST` + 1, none is below zero."""
    return f"CASE WHEN {years} >= 0 THEN least({years}, {OLDEST + 1}) END"


def sex_of(gender: str) -> str:
    """SQL for the sex that a letter stands for."""
    return f"CASE upper({gender}) WHEN 'F' THEN 'female' WHEN 'M' THEN 'male' END"


def _put(connection: DuckDBPyConnection, name: str, table: pa.Table) -> None:
    connection.register("given_table", table)
    connection.execute(f"CREATE TABLE {name} AS SELECT * FROM given_table")
    connection.unregister("given_table")


def _one(connection: DuckDBPyConnection, query: str, *values: Any) -> tuple[Any, ...]:
    found = connection.execute(query, list(values)).fetchone()
    return found or ()


def _cursor(connection: DuckDBPyConnection, query: str) -> Iterator[tuple[Any, ...]]:
    result = connection.cursor().execute(query)
    while rows := result.fetchmany(BATCH):
        yield from rows


def _count(left_out: Counter[str], reason: str, count: int) -> None:
    if count:
        left_out[reason] += count
