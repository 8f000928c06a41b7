"""A tokenizer of Hugging Face's as llama.cpp wants it: its tokens, their kinds and their order.

llama.cpp has algorithms of its own for the three families that are known here. What it cannot do
alike is refused, since a model that reads other tokens than it learned is broken in silence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clhcode.errors import UserError

if TYPE_CHECKING:
    from gguf import GGUFWriter

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
"""llama.cpp's kinds of tokens."""
SPACE = "▁"
_LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_SPLITS = {
    _LETTERS + r"\p{N}{1,3}" + _REST: "llama-bpe",
    _LETTERS + r"\p{N}" + _REST: "qwen2",
}
"""How words are cut before their bytes are merged -> llama.cpp's name of it."""
_SPECIAL = ("bos", "eos", "unk", "sep", "pad", "mask")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What llama.cpp needs to know of a tokenizer.

    Attributes:
        family: Its algorithm there: `gpt2` merges bytes, `llama` is SentencePiece's, `bert` takes
            the longest pieces of lower-cased words.
        cut: How `gpt2` cuts words before it merges; None for the others.
        tokens: Each token's text, by number.
        kinds: Each token's kind.
        merges: Pairs that `gpt2` merges, first to last.
        scores: What `llama` merges by, highest first; one a token.
        specials: Number of the special tokens by llama.cpp's names of them.
        begins: Whether a text begins with the token for it.
        ends: Whether it ends with one.
        spaced: Whether a space is put before a text.
        template: The chat template.
    """

    family: str
    cut: str | None
    tokens: tuple[str, ...]
    kinds: tuple[int, ...]
    merges: tuple[str, ...]
    scores: tuple[float, ...]
    specials: Mapping[str, int]
    begins: bool
    ends: bool
    spaced: bool
    template: str | None

    def write(self, writer: GGUFWriter) -> None:
        """Adds it to a file in the making."""
        writer.add_tokenizer_model(self.family)
        writer.add_tokenizer_pre(self.cut or "default")
        writer.add_token_list(list(self.tokens))
        writer.add_token_types(list(self.kinds))
        if self.merges:
            writer.add_token_merges(list(self.merges))
        if self.scores:
            writer.add_token_scores(list(self.scores))
        for name, number in self.specials.items():
            getattr(writer, f"add_{name}_token_id")(number)
        writer.add_add_bos_token(self.begins)
        writer.add_add_eos_token(self.ends)
        writer.add_add_space_prefix(self.spaced)
        if self.template:
            writer.add_chat_template(self.template)


def vocabulary(tokenizer: Any, size: int, ends: tuple[int, ...] = ()) -> Vocabulary:
    """The vocabulary of a loaded tokenizer of transformers.

    Args:
        tokenizer: A fast tokenizer, as `AutoTokenizer` gives it.
        size: Rows of the model's embeddings; tokens are made up to fill them.
        ends: Tokens that end an answer, as the model's own settings name them.

    Raises:
        UserError: llama.cpp would read other tokens.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise _unknown("it has no tokenizer.json")
    made = json.loads(tokenizer.backend_tokenizer.to_str())
    family, cut, spaced = _family(made)
    tokens, kinds = _tokens(made, family, size, tokenizer.unk_token)
    if len(tokens) > size:
        raise UserError(f"the tokenizer has {len(tokens)} tokens and the model {size} embeddings")
    specials = {
        name: getattr(tokenizer, f"{name}_token_id")
        for name in _SPECIAL
        if getattr(tokenizer, f"{name}_token_id", None) is not None
    }
    if others := [number for number in ends if number != specials.get("eos")]:
        specials["eot"] = others[0]
    around = tokenizer("a")["input_ids"]
    if family == "bert" and (around[0], around[-1]) != (specials.get("bos"), specials.get("sep")):
        raise _unknown("a text does not stand between bos_token and sep_token")
    return Vocabulary(
        family,
        cut,
        tokens,
        kinds,
        _merges(made) if family == "gpt2" else (),
        _scores(made, tokens) if family == "llama" else (),
        specials,
        begins=around[0] == specials.get("bos"),
        ends=len(around) > 1 and around[-1] == specials.get("eos"),
        spaced=spaced,
        template=_template(tokenizer),
    )


def _unknown(why: str) -> UserError:
    return UserError(
        f"this tokenizer is none that clh exports ({why}): give llama.cpp's own converter by"
        " --converter PATH/convert_hf_to_gguf.py"
    )


def _template(tokenizer: Any) -> str | None:
    found = tokenizer.chat_template
    return found.get("default") if isinstance(found, dict) else found


def _family(made: Mapping[str, Any]) -> tuple[str, str | None, bool]:
    """The algorithm, how words are cut, and whether a space comes first."""
    model, steps = made["model"], _steps(made["normalizer"], "normalizers")
    kinds = [step["type"] for step in steps]
    if model["type"] == "WordPiece":
        _check_words(made, steps)
        return "bert", None, False
    if model["type"] != "BPE":
        raise _unknown(f"its model is {model['type']}")
    if model.get("byte_fallback"):
        cuts = _steps(made["pre_tokenizer"], "pretokenizers")
        meta = [cut for cut in cuts if cut["type"] == "Metaspace"]
        if not meta and not any(s["type"] == "Replace" and s["content"] == SPACE for s in steps):
            raise _unknown("it does not write spaces as ▁")
        first = any(cut.get("prepend_scheme") in ("first", "always") for cut in meta)
        return "llama", None, first or "Prepend" in kinds
    if set(kinds) - {"NFC"}:
        raise _unknown(f"it changes texts by {', '.join(kinds)}")
    return "gpt2", _cut(made), False


def _check_words(made: Mapping[str, Any], steps: list[Mapping[str, Any]]) -> None:
    """Raises unless words come out as llama.cpp makes them: lower case, no accents."""
    model, cuts = made["model"], _steps(made["pre_tokenizer"], "pretokenizers")
    alike = (
        [step["type"] for step in steps] == ["BertNormalizer"]
        and steps[0]["lowercase"]
        and steps[0]["strip_accents"] is not False
        and [cut["type"] for cut in cuts] == ["BertPreTokenizer"]
        and model["continuing_subword_prefix"] == "##"
    )
    if not alike:
        raise _unknown("its words are not those of a lower-casing BERT")


def _cut(made: Mapping[str, Any]) -> str:
    cuts = _steps(made["pre_tokenizer"], "pretokenizers")
    bytewise = next((cut for cut in cuts if cut["type"] == "ByteLevel"), None)
    splits = [cut["pattern"].get("Regex", "") for cut in cuts if cut["type"] == "Split"]
    if bytewise is None or len(cuts) != 1 + len(splits) or bytewise["add_prefix_space"]:
        raise _unknown("its words are cut in another way")
    if bytewise["use_regex"] and not splits:
        name = "gpt-2"
    else:
        name = _SPLITS.get(splits[0], "") if len(splits) == 1 and not bytewise["use_regex"] else ""
    if not name:
        raise _unknown("its words are cut in another way")
    # llama.cpp takes whole words before merges for llama-bpe, and for no other of these.
    if bool(made["model"].get("ignore_merges")) != (name == "llama-bpe"):
        raise _unknown("its merges are passed over in another way")
    return name


def _steps(step: Mapping[str, Any] | None, name: str) -> list[Mapping[str, Any]]:
    """A normalizer or pre-tokenizer as the list of its steps."""
    if step is None:
        return []
    if step["type"] == "Sequence":
        return [each for inner in step[name] for each in _steps(inner, name)]
    return [step]


def _tokens(
    made: Mapping[str, Any], family: str, size: int, unknown: str | None
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Each token as llama.cpp writes it, and its kind."""
    added = {token["id"]: token for token in made["added_tokens"]}
    by_number = {number: text for text, number in made["model"]["vocab"].items()}
    by_number |= {number: token["content"] for number, token in added.items()}
    tokens: list[str] = []
    kinds: list[int] = []
    for number in range(max(size, max(by_number) + 1)):
        text, token = by_number.get(number), added.get(number)
        if text is None:
            kinds.append(UNUSED)
            text = f"[PAD{number}]"
        elif text == unknown and family != "gpt2":
            kinds.append(UNKNOWN)
        elif token is not None:
            kinds.append(CONTROL if token["special"] else USER_DEFINED)
            # llama.cpp looks for these in the text as it is given.
            text = text.replace(SPACE, " ") if token["normalized"] else text
        elif family == "llama" and _is_byte(text):
            kinds.append(BYTE)
        else:
            kinds.append(NORMAL)
            if family == "bert":
                text = text.removeprefix("##") if text.startswith("##") else SPACE + text
        tokens.append(text)
    return tuple(tokens), tuple(kinds)


def _is_byte(text: str) -> bool:
    return len(text) == 6 and text.startswith("<0x") and text.endswith(">")


def _pairs(made: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The merges, which older files write as one text each."""
    merges = (
        pair.split(" ", 1) if isinstance(pair, str) else pair for pair in made["model"]["merges"]
    )
    return [(left, right) for left, right in merges]


def _merges(made: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{left} {right}" for left, right in _pairs(made))


def _scores(made: Mapping[str, Any], tokens: tuple[str, ...]) -> tuple[float, ...]:
    """Minus the place of the first merge that makes a token.

    The merges of SentencePiece stand by the token that they make, so nothing is lost. What no
    merge makes stands behind; llama.cpp comes to it without a score.
    """
    places: dict[str, int] = {}
    for place, (left, right) in enumerate(_pairs(made)):
        places.setdefault(left + right, place)
    return tuple(-float(places.get(token, len(places) + 1)) for token in tokens)
