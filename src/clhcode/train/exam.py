"""How a model does on the dev questions: what the best checkpoint is chosen by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from clhcode.runtime.speak import most_tokens
from clhcode.tasks import Choose, Chosen
from clhcode.train.examples import Example
from clhcode.train.rewards import reward
from clhcode.train.voice import Voice, finish_of
from clhcode.train.wording import Way, line, rated

DEV = "eval_dev"
"""The figure that decides."""


@dataclass(frozen=True, slots=True)
class Exam:
    """Dev questions, and how they are put.

    Attributes:
        way: How answers are given: written greedily and without a grammar, or rated.
        batch: Questions, or rated options, side by side.
        most: Tokens of an answer at most; 0 for what each question may need.
        none: Whether a rated question may be answered by none of its options.
    """

    examples: Sequence[Example]
    voice: Voice
    template: str
    way: Way
    batch: int
    most: int = 0
    none: bool = True

    def sit(self, model: Any) -> dict[str, float]:
        """The model's figures.

        Returns:
            `eval_dev`: the share of exact answers; for `analyse` and `assign` the mean reward,
            since long lists are hardly ever exact; for rated options the share of questions whose
            likeliest option is right, by the model alone. Beside it, where answers are written,
            the mean `eval_reward` and the share of well-formed ones, `eval_form`.
        """
        import torch

        training = model.training
        model.eval()
        try:
            with torch.no_grad():
                return self._written(model) if self.way == "write" else self._rated(model)
        finally:
            model.train(training)

    def _written(self, model: Any) -> dict[str, float]:
        answers = forms = exact = 0.0
        for example, tokens in self._answers(model):
            found = reward(
                example.task,
                example.answer,
                self.voice.words(tokens),
                finish_of(tokens, self.voice.stops),
                len(tokens),
            )
            answers, forms = answers + found.answer, forms + found.form
            exact += found.answer == 1.0
        count = len(self.examples)
        lists = self.examples[0].task.agent in ("analyse", "assign")
        return {
            DEV: (answers if lists else exact) / count,
            "eval_reward": answers / count,
            "eval_form": forms / count,
        }

    def _answers(self, model: Any) -> Iterator[tuple[Example, list[int]]]:
        """Each question with the tokens of its answer, in batches of like length."""
        asked = [(e, self.voice.piece(line(e, self.template, "write")).read) for e in self.examples]
        asked.sort(key=lambda pair: len(pair[1]))
        for at in range(0, len(asked), self.batch):
            part = asked[at : at + self.batch]
            ids, mask = _left_padded([read for _, read in part], self._pad, model.device)
            most = max(most_tokens(example.task) for example, _ in part)
            written = model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=min(most, self.most) if self.most else most,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                eos_token_id=sorted(self.voice.stops),
                pad_token_id=self._pad,
                use_cache=True,
            )[:, ids.shape[1] :].tolist()
            for (example, _), tokens in zip(part, written, strict=True):
                yield example, _ended(tokens, self.voice.stops)

    @property
    def _pad(self) -> int:
        pad = self.voice.tokenizer.pad_token_id
        return int(pad if pad is not None else self.voice.tokenizer.eos_token_id)

    def _rated(self, model: Any) -> dict[str, float]:
        right = 0
        for example in self.examples:
            task, answer = example.task, example.answer
            if not isinstance(task, Choose) or not isinstance(answer, Chosen):
                continue
            logs = self._logs(model, task)
            logs = logs if self.none else logs[:-1]
            best = max(range(len(logs)), key=logs.__getitem__) + 1
            right += best in (answer.numbers or (len(task.options) + 1,))
        return {DEV: right / len(self.examples)}

    def _logs(self, model: Any, task: Choose) -> list[float]:
        """The log-likelihood of each option, none of them last."""
        pairs = [self.voice.split(p, rest) for p, rest in rated(task, self.template, self.way)]
        logs: list[float] = []
        for at in range(0, len(pairs), self.batch):
            logs += likelihoods(model, pairs[at : at + self.batch], self._pad)
        return logs


def _ended(tokens: list[int], stops: frozenset[int]) -> list[int]:
    """An answer up to and with the token that ends it."""
    for place, token in enumerate(tokens):
        if token in stops:
            return tokens[: place + 1]
    return tokens


def likelihoods(model: Any, pairs: Sequence[tuple[list[int], list[int]]], pad: int) -> list[float]:
    """The log-likelihood of each second list of tokens after its first, in nats."""
    import torch

    ids, mask = _left_padded([[*head, *rest] for head, rest in pairs], pad, model.device)
    most = max(len(rest) for _, rest in pairs)
    logits = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
        logits_to_keep=most + 1,
        use_cache=False,
    ).logits[:, -most - 1 : -1]
    logs = torch.log_softmax(logits.float(), -1).gather(-1, ids[:, -most:, None])[..., 0]
    return [
        float(row[most - len(rest) :].sum()) for row, (_, rest) in zip(logs, pairs, strict=True)
    ]


def _left_padded(lists: Sequence[list[int]], pad: int, device: Any) -> tuple[Any, Any]:
    """Tokens and mask as tensors; what is read ends at the same place."""
    import torch

    longest = max(map(len, lists))
    ids = [[pad] * (longest - len(each)) + each for each in lists]
    mask = [[0] * (longest - len(each)) + [1] * len(each) for each in lists]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)
