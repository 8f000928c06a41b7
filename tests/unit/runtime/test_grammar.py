"""Schemas as grammars, by hand."""

import pytest

from clhcode.runtime.grammar import gbnf

CHARACTER = r'character ::= [^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4})'


def test_a_choice():
    schema = {
        "type": "object",
        "properties": {"choice": {"type": "integer", "enum": [0, 1, 10]}},
    }
    assert gbnf(schema).splitlines() == [
        "root ::= part1",
        'part0 ::= "0" | "1" | "10"',
        'part1 ::= "{" "\\"choice\\":" part0 "}"',
        CHARACTER,
    ]


def test_bounds_stay():
    schema = {
        "type": "array",
        "maxItems": 3,
        "items": {"type": "string", "minLength": 1, "maxLength": 5},
    }
    assert gbnf(schema).splitlines()[:4] == [
        "root ::= part2",
        'part0 ::= "\\"" character{1,5} "\\""',
        'part1 ::= "," part0',
        'part2 ::= "[" (part0 part1{0,2})? "]"',
    ]


def test_what_it_does_not_know_is_told():
    with pytest.raises(ValueError, match="number"):
        gbnf({"type": "number"})
