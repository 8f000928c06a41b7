"""From Arrow columns to values: each column is decoded once, however deep it nests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clhcode.table.plain import WrongError, chosen, short
from clhcode.table.schema import REQUIRED, Field, Many, Record, Scalar, Shape, arrow_type

if TYPE_CHECKING:
    import pyarrow as pa


def decode(shape: Shape, column: pa.Array) -> list[Any]:
    """The values of a column, `None` for null.

    Slices, other widths (`large_string`, `large_list`), dictionaries and struct members in
    another order or left out are all taken.

    Raises:
        WrongError: The column is of another kind, or a value does not fit.
    """
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_null(column.type):
        return [None] * len(column)
    if isinstance(shape, Scalar):
        return _scalars(shape, column)
    if isinstance(shape, Many):
        return _lists(shape, column)
    return _records(shape, column)


def filled(field: Field, values: list[Any]) -> list[Any]:
    """The values of a field, with its default for null."""
    if field.default is None or None not in values:
        return values
    if field.default is REQUIRED:
        raise WrongError("is null", field.name)
    return [field.default if value is None else value for value in values]


def decode_field(field: Field, column: pa.Array) -> list[Any]:
    """The values of a named column; what is wrong with them is told with its name."""
    try:
        values = decode(field.shape, column)
    except WrongError as wrong:
        raise wrong.under(field.name) from None
    return filled(field, values)


def is_list(kind: pa.DataType) -> bool:
    """Whether a type is a list of any width."""
    import pyarrow as pa

    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _scalars(shape: Scalar, column: pa.Array) -> list[Any]:
    import pyarrow as pa

    try:
        # The message of a failed cast may quote the value, so it is not passed on.
        values: list[Any] = column.cast(arrow_type(shape)).to_pylist()
    except (pa.ArrowException, UnicodeDecodeError):
        raise WrongError(f"is {_kind(column.type)} that does not fit {shape.kind}") from None
    if shape.choices is not None:
        known = {word: chosen(shape, word) for word in set(values) if word is not None}
        return [known.get(word) for word in values]
    if shape.kind == "float32":
        return [None if x is None else short(x) for x in values]
    if shape.kind != "string" and not all(x is None or 0 <= x <= shape.high for x in values):
        raise WrongError(f"must be between 0 and {shape.high}")
    return values


def _lists(shape: Many, column: pa.Array) -> list[Any]:
    if not is_list(column.type):
        raise WrongError(f"is {_kind(column.type)}, not a list")
    lengths = column.value_lengths().to_pylist()
    try:
        items = decode(shape.item, column.flatten())
    except WrongError as wrong:
        raise wrong.under("[]") from None
    if None in items:
        raise WrongError("is null", "[]")
    make, begin = shape.make, 0
    values: list[Any] = []
    for length in lengths:
        if length is None:
            values.append(None)
        else:
            values.append(make(items[begin : begin + length]))
            begin += length
    return values


def _records(shape: Record, column: pa.Array) -> list[Any]:
    import pyarrow as pa

    if not pa.types.is_struct(column.type):
        raise WrongError(f"is {_kind(column.type)}, not a struct")
    if column.null_count:
        # Nobody writes null records, and one would look like a record of nulls.
        raise WrongError("is null")
    there = {column.type.field(i).name: child for i, child in enumerate(column.flatten())}
    absent = pa.nulls(len(column))
    members = (shape.fields[at] for at in shape.order)
    return list(map(shape.make, *(decode_field(f, there.get(f.name, absent)) for f in members)))


def _kind(kind: pa.DataType) -> str:
    return str(kind).partition("<")[0]
