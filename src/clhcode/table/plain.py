"""Between values and plain JSON types, along a shape of `clhcode.table.schema`."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from struct import pack, unpack
from typing import Any

from clhcode.table.schema import REQUIRED, Field, Many, Record, Scalar, Shape


class WrongError(Exception):
    """A value that does not fit its shape: where in the value, and why; never the value."""

    def __init__(self, why: str, place: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.place = place

    def under(self, step: str) -> WrongError:
        """The same, seen from one level further up."""
        joint = "." if self.place and not self.place.startswith("[") else ""
        return WrongError(self.why, f"{step}{joint}{self.place}")

    def __str__(self) -> str:
        return f"`{self.place}` {self.why}" if self.place else self.why


@lru_cache(maxsize=1 << 16)
def short(number: float) -> float:
    """The shortest decimal that is stored as the same float32.

    So a score is one number in Python, JSON and Arrow: 0.9 stays 0.9, where widening the
    float32 would make it 0.8999999761581421.
    """
    stored = pack("f", number)
    near: float = unpack("f", stored)[0]
    tries = (float(f"{near:.{digits}g}") for digits in (6, 7, 8))
    return next((x for x in tries if math.isfinite(x) and pack("f", x) == stored), near)


def fits_float32(number: float) -> bool:
    """Whether a number is finite, also as a float32."""
    try:
        return math.isfinite(unpack("f", pack("f", number))[0])
    except OverflowError:
        return False


def to_plain(shape: Shape) -> Callable[[Any], Any]:
    """A function from a value of this shape to dicts, lists, strings and numbers."""
    if isinstance(shape, Scalar):
        inner = short if shape.kind == "float32" else _same
        return lambda value: None if value is None else inner(value)
    if isinstance(shape, Many):
        item = to_plain(shape.item)
        return lambda values: None if values is None else [item(v) for v in values]
    take = shape.take
    members = [(f.name, to_plain(f.shape)) for f in shape.fields]
    return lambda value: {name: plain(take(value, name)) for name, plain in members}


def of_plain(shape: Shape) -> Callable[[Any], Any]:
    """A function from plain JSON types to a value of this shape.

    The function raises `WrongError` for what does not fit; keys it does not know it ignores.
    """
    if isinstance(shape, Scalar):
        return _of_scalar(shape)
    if isinstance(shape, Many):
        return _of_list(shape)
    return _of_object(shape)


def member(field: Field) -> Callable[[dict[str, Any]], Any]:
    """A function that takes a field out of a dict, checked, or its default."""
    read = of_plain(field.shape)
    name, default = field.name, field.default

    def get(values: dict[str, Any]) -> Any:
        value = values.get(name)
        if value is None:
            if default is REQUIRED:
                raise WrongError("is null" if name in values else "is missing", name)
            return default
        try:
            return read(value)
        except WrongError as wrong:
            raise wrong.under(name) from None

    return get


def chosen(shape: Scalar, word: str) -> str:
    """The stored form of a word, where only some words are allowed."""
    choices = shape.choices or {}
    try:
        return choices[word.lower()]
    except KeyError:
        raise WrongError(f"must be one of {', '.join(choices)}") from None


def counted(shape: Scalar, number: int) -> int:
    """The number, if it is in range."""
    if not 0 <= number <= shape.high:
        raise WrongError(f"must be between 0 and {shape.high}")
    return number


def _same(value: Any) -> Any:
    return value


def _of_scalar(shape: Scalar) -> Callable[[Any], Any]:
    def word(value: Any) -> str:
        if not isinstance(value, str):
            raise WrongError("must be a string")
        return value if shape.choices is None else chosen(shape, value)

    def number(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise WrongError("must be a number")
        if not fits_float32(value):
            raise WrongError("must be a finite number")
        return float(value)

    def count(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise WrongError("must be a whole number")
        return counted(shape, value)

    return {"string": word, "float32": number}.get(shape.kind, count)


def _of_list(shape: Many) -> Callable[[Any], Any]:
    read, make = of_plain(shape.item), shape.make

    def many(values: Any) -> Any:
        if not isinstance(values, list | tuple):
            raise WrongError("must be a list")
        made: list[Any] = []
        try:
            made.extend(map(read, values))
        except WrongError as wrong:
            raise wrong.under(f"[{len(made)}]") from None
        return make(made)

    return many


def _of_object(shape: Record) -> Callable[[Any], Any]:
    members = [member(shape.fields[at]) for at in shape.order]
    make = shape.make

    def record(value: Any) -> Any:
        if not isinstance(value, dict):
            raise WrongError("must be an object")
        return make(*[get(value) for get in members])

    return record
