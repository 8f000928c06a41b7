"""Listed problems: the diagnoses an assessment puts at the head of its paragraphs."""

from __future__ import annotations

import re

from clhcode.text.sections import is_heading
from clhcode.text.tokens import is_item, sentence_span

LONGEST = 12
"""Words a line may have to be the title of a problem and not its discussion."""

_LABEL = re.compile(r"[^\w\n]*(?P<label>[A-Z][\w /-]{2,40}):\s*(?=\S)")


def listed(text: str, offset: int) -> bool:
    """Whether an offset stands in the title of a problem.

    A title is a short line of its own, or the first sentence of a list item. `Treatment: ...`
    discusses a problem and names none; `Assessment: ...` does.
    """
    begin = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    line = text[begin : end if end >= 0 else len(text)]
    sentence, _ = sentence_span(text, offset)
    if sentence < begin:
        return False
    if label := _LABEL.match(line):
        if not is_heading(label["label"]):
            # "Hypertension: at goal" is titled by its label.
            return offset < begin + label.end("label")
        line = line[label.end() :]
    if len(line.split()) <= LONGEST:
        return True
    return is_item(line) and not text[begin:sentence].strip()
