"""A JSON schema as a grammar of llama.cpp (GBNF), without blanks, as vLLM decodes it, too.

Only what `speak.schema` uses: objects, arrays, enumerations and strings, all bounded. Control
characters cannot stand in a string, so whatever is written to its end is strict JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_CHARACTER = r'[^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4})'


def gbnf(schema: Mapping[str, Any]) -> str:
    """The grammar of a schema's values.

    Whatever is repeated has a rule of its own: llama.cpp bounds how much a repetition may hold.
    """
    rules: dict[str, str] = {}
    root = _value(schema, rules)
    named = "".join(f"{name} ::= {rule}\n" for rule, name in rules.items())
    return f"root ::= {root}\n{named}character ::= {_CHARACTER}\n"


def _value(schema: Mapping[str, Any], rules: dict[str, str]) -> str:
    if "enum" in schema:
        rule = " | ".join(_literal(json.dumps(each)) for each in schema["enum"])
    elif schema["type"] == "string":
        least, most = schema.get("minLength", 0), schema["maxLength"]
        rule = rf'"\"" character{{{least},{most}}} "\""'
    elif schema["type"] == "array":
        rule = _array(_value(schema["items"], rules), schema["maxItems"], rules)
    elif schema["type"] == "object":
        members = (
            f"{_literal(json.dumps(name) + ':')} {_value(each, rules)}"
            for name, each in schema["properties"].items()
        )
        rule = '"{" ' + ' "," '.join(members) + ' "}"'
    else:
        raise ValueError(schema["type"])
    return _named(rule, rules)


def _array(item: str, most: int, rules: dict[str, str]) -> str:
    if most == 0:
        return '"[]"'
    more = _named(f'"," {item}', rules)
    return f'"[" ({item} {more}{{0,{most - 1}}})? "]"'


def _named(rule: str, rules: dict[str, str]) -> str:
    """The name of a rule; equal rules have one."""
    return rules.setdefault(rule, f"part{len(rules)}")


def _literal(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
