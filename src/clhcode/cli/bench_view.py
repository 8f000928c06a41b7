"""What `clh bench` and `clh compare` show people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from clhcode.cli.console import ACCENT, DIM, console, visible

if TYPE_CHECKING:
    from clhcode.bench.ground import Asked
    from clhcode.bench.result import Result

LABEL = 20
Line = tuple[str, str, str]
"""A label, what stands beside it, and its style."""

_ROWS = (
    ("micro", "micro"),
    ("macro", "macro (gold)"),
    ("macro_either", "macro (either)"),
    ("sample", "sample"),
    ("weighted", "weighted"),
)
_LEVELS = (
    ("characters_5", "5 characters"),
    ("characters_4", "4 characters"),
    ("category", "category"),
    ("chapter", "chapter"),
)


def show(result: Result, asked: Asked, *, groups: bool, published: bool, plain: bool) -> None:
    """The figures of a run under their protocol."""
    _print(_lines(result, asked, groups=groups, published=published), plain=plain)


def _lines(result: Result, asked: Asked, *, groups: bool, published: bool) -> Iterator[Line]:
    metrics, figures = result.figures["metrics"], result.figures
    yield from _protocol(result, asked)
    yield from _warnings(figures)
    rough = "approximate" in figures
    yield _line("", f"{'precision':>9}  {'recall':>9}  {'F1':>9}  95 %", DIM)
    strict = metrics.get("strict", {})
    for key, label in _ROWS:
        interval = metrics.get("intervals", {}).get(key, {}).get("f1")
        yield _score(label, metrics[key], interval, strict.get(key), rough=rough)
    for key, label in _LEVELS:
        if key in metrics:
            yield _score(
                f"micro, {label}",
                metrics[key]["micro"],
                None,
                strict.get(key, {}).get("micro"),
                rough=rough,
            )
    rank, effort, coding = metrics["ranking"], metrics["effort"], metrics["coding"]
    exact = f"{metrics['exact_match']:9.3f}" + _range(metrics, "exact_match", "value")
    yield _line("exact match", exact + "  approximate" * rough)
    at = "  ".join(
        f"P@{k} {rank[f'precision_at_{k}']:.3f} R@{k} {rank[f'recall_at_{k}']:.3f}"
        for k in (5, 8, 15)
    )
    yield _line("ranked", f"MAP {rank['map']:.3f}  {at}")
    yield _line(
        "a coder's work",
        f"{effort['add']:.1f} to add · {effort['remove']:.1f} to remove · "
        f"{effort['replace']:.1f} to replace by a sibling"
        f" · {effort['accepted_unchanged']:.0%} as they are",
    )
    yield _line(
        "codes given",
        f"{coding['predicted_per_gold']:.2f} for each of gold · over {coding['over']:.2f} · "
        f"under {coding['under']:.2f}",
    )
    if "evidence" in metrics:
        for name, found in metrics["evidence"].items():
            yield _score(name.replace("_", " "), found, None, None)
    if "stages" in figures:
        yield from _stages(figures["stages"])
    if groups:
        yield from _groups(metrics["groups"])
    if "seeds" in figures:
        seeds = figures["seeds"]
        note = f" ({seeds['note']})" if "note" in seeds else ""
        yield _line(
            "seeds", f"micro {seeds['micro']['f1_mean']:.3f} ± {seeds['micro']['f1_sd']:.3f}{note}"
        )
    if figures.get("failed"):
        yield _line("failed", f"{figures['failed']:,} with an error; they count", "bold red")
    speed = figures["speed"]
    rate = f"{speed['encounters_per_s']:.0f} {result.protocol.unit}s/s"
    yield _line("speed", f"{rate} · {speed['peak_rss_mb']:.0f} MB")
    if published:
        yield from _published(result)
    yield _line("", "Research use only.", DIM)


def _protocol(result: Result, asked: Asked) -> Iterator[Line]:
    told, run = result.protocol, result.run
    mapped = _mapped(told.mapping)
    kinds = "" if told.codes == "icd10cm" else f" · codes {told.codes}"
    some = f", first {told.first}" if told.first else ""
    yield _line(
        "protocol",
        f"{told.encounters:,} {told.unit}s · {asked.dataset.title}, {told.split}{some}"
        f"{kinds} · label space {told.label_space} · {mapped}",
    )
    oracle = f" · gold answers for {', '.join(run['oracle'])}" if run["oracle"] else ""
    model = f" {run['model']}" if run["model"] else ""
    without = f" · without {', '.join(run['without'])}" if run["without"] else ""
    given = f" · candidates {run['candidates']}" if run["candidates"] else ""
    yield _line(
        "",
        f"level {told.level} · policy {told.policy} · setting {told.setting or 'of each encounter'}"
        f" · {told.release} · engine {run['engine']}{model}{oracle}{without}{given}",
    )
    if not told.label_space.startswith("all"):
        yield _line(
            "", f"not comparable with figures over all codes: label space {told.label_space}"
        )


def _mapped(mapping: str) -> str:
    """How predictions were taken to gold, for people."""
    if mapping == "none":
        return "codes of gold as they stand, nothing mapped"
    if mapping.startswith("GEM "):
        return f"predictions of ICD-10-CM taken to ICD-9-CM by the {mapping}"
    by = "" if mapping == "code years" else f" by {mapping}"
    return f"gold codes of older years mapped{by}, strict in brackets"


def _warnings(figures: Mapping[str, Any]) -> Iterator[Line]:
    """What must be known of figures before they are read."""
    if "warning" in figures:
        yield _line("warning", figures["warning"], "bold red")
    if "overlap" in figures:
        yield _line("overlap", f"allowed: {figures['overlap']['told']}", "bold red")
    if "approximate" not in figures:
        return
    found = figures["approximate"]
    said = " · ".join(
        f"{count:,} {name.replace('_', ' ')}" for name, count in found["predictions"].items()
    )
    yield _line("approximate", f"predictions through the {found['gem']}: {said}", "bold red")
    share = found["unreached"] / found["gold"] if found["gold"] else 0.0
    yield _line("", f"{share:.1%} of gold codes no entry leads to", "bold red")


def _score(
    label: str,
    score: Mapping[str, float],
    interval: tuple[float, float] | None,
    strict: Mapping[str, float] | None,
    *,
    rough: bool = False,
) -> Line:
    text = "  ".join(f"{score[key]:9.3f}" for key in ("precision", "recall", "f1"))
    if interval:
        text += f"  {interval[0]:.3f}-{interval[1]:.3f}"
    if strict:
        text += f"  (strict {strict['f1']:.3f})"
    if rough:
        text += "  approximate"
    return _line(label, text)


def _range(metrics: Mapping[str, Any], key: str, part: str) -> str:
    found = metrics.get("intervals", {}).get(key, {}).get(part)
    return f"  {found[0]:.3f}-{found[1]:.3f}" if found else ""


def _stages(found: Mapping[str, Any]) -> Iterator[Line]:
    for stage in ("analyse", "locate", "verify", "assign"):
        if stage in found:
            what = "places" if stage == "analyse" else "codes"
            each = found[stage]
            yield _line(
                f"after {stage}", f"{each['precision']:9.3f}  {each['recall']:9.3f}  of {what}"
            )
    shares = " · ".join(f"{name} {share:.0%}" for name, share in found["lost"].items())
    yield _line("gold lost at", shares)


def _groups(groups: Mapping[str, Any]) -> Iterator[Line]:
    for kind, members in groups.items():
        yield _line(kind.replace("_", " "), "", ACCENT)
        for name, each in sorted(members.items(), key=lambda member: _order(member[0])):
            p, f1 = each.get("precision"), each.get("f1")
            shown = (
                f"{p:9.3f}  {each['recall']:9.3f}  {f1:9.3f}"
                if p is not None
                else f"{'':9}  {each['recall']:9.3f}"
            )
            yield _line(f"  {name}", f"{shown}  {each['gold']:,} of gold")


def _order(name: str) -> tuple[int, str]:
    """Chapters by number, everything else by name."""
    number = name.removeprefix("chapter ")
    return (int(number), "") if number.isdigit() else (0, name)


def _published(result: Result) -> Iterator[Line]:
    from clhcode.bench.published import of

    yield _line("published", "" if of(result.protocol.dataset) else "nothing known here", ACCENT)
    for each in of(result.protocol.dataset):
        mark = "" if each.same else "other protocol: "
        yield _line("", f"{each.system} ({each.source}): {each.figures} · {mark}{each.protocol}")


def show_comparison(found: Mapping[str, Any], names: tuple[str, str], *, plain: bool) -> None:
    """Two results side by side."""
    _print(_comparison(found, names), plain=plain)


def _comparison(found: Mapping[str, Any], names: tuple[str, str]) -> Iterator[Line]:
    first, second = found["micro_f1"]
    low, high = found["interval"]
    yield _line("micro-F1", f"{first:.4f} {names[0]}   {second:.4f} {names[1]}")
    if found["difference"] == low == high == 0:
        yield _line("difference", "none")
    else:
        yield _line(
            "difference",
            f"{found['difference']:+.4f}  95 % {low:+.4f} to {high:+.4f}  p {found['p']:.3f}",
        )
    yield _line(
        "encounters",
        f"{found['encounters']:,} · better {found['encounters_better']:,}"
        f" · worse {found['encounters_worse']:,}",
    )
    for key, label in (("codes_won", "codes won"), ("codes_lost", "codes lost")):
        codes = list(found[key].items())
        more = f" and {len(codes) - 12:,} more" if len(codes) > 12 else ""
        yield _line(label, " ".join(f"{code}:{n}" for code, n in codes[:12]) + more)
    changed = " · ".join(f"{stage} {count:,}" for stage, count in found["changed"].items())
    yield _line("changed after", changed)
    yield _line("", "Research use only.", DIM)


def show_questions(found: Mapping[str, Any], *, plain: bool) -> None:
    """How many of a file's questions were answered right, and what a control says of it."""
    _print(_questions(found), plain=plain)


def _questions(found: Mapping[str, Any]) -> Iterator[Line]:
    run, chance = found["run"], found["chance"]
    model = f" {run['model']}" if run["model"] else ""
    yield _line(
        "questions",
        f"{found['n']:,} of {found['categories']:,} categories · {run['questions']}"
        f" · engine {run['engine']}{model} · chance {chance:.3f}",
    )
    yield _line("", f"{'right':>9}  95 % over categories", DIM)
    for key, label in (
        ("lexical", "the first option"),
        ("model", "the model alone"),
        ("both", "with the order"),
        ("shuffled", "words of another"),
    ):
        shown = "none" if found[key] is None else f"{found[key]:.3f}"
        yield _line(label, f"{shown:>9}{_range_of(found, key)}")
    for key, label in (("model-lexical", "alone - first"), ("both-lexical", "with - first")):
        if key in found["differences"]:
            shown = f"{found['differences'][key]:+.3f}"
            yield _line(label, f"{shown:>9}{_range_of(found, key, '+')}")
    low, _ = found["intervals"].get("shuffled", (0.0, 0.0))
    if low > chance:
        warning = "above chance with the words of another: the order of the options answers"
        yield _line("warning", warning, "bold red")
    counts = ((n if n != "0" else "none", count) for n, count in found["chosen"].items())
    yield _line("chosen", " · ".join(f"{n}: {count:,}" for n, count in counts))
    for key, label in (("faults", "faults"), ("shuffled_faults", "faults, shuffled")):
        if found[key]:
            kinds = " · ".join(f"{kind} {count:,}" for kind, count in found[key].items())
            yield _line(label, f"{kinds}; they count as wrong", "bold red")
    yield _line("speed", f"{found['seconds_per_question']:.3g} s a question")
    yield _line("", "Research use only.", DIM)


def _range_of(found: Mapping[str, Any], key: str, sign: str = "") -> str:
    interval = found["intervals"].get(key)
    joint = " to " if sign else "-"
    return f"  {joint.join(f'{end:{sign}.3f}' for end in interval)}" if interval else ""


def _line(label: str, text: str, style: str = "") -> Line:
    return (visible(label), visible(text).rstrip(), style)


def _print(lines: Iterator[Line], *, plain: bool) -> None:
    """Labels in a column of their own, so that long texts wrap beside them."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1))
    grid.add_column(min_width=LABEL, no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text, style in lines:
        grid.add_row(Text(f" {label}", DIM), Text(text, style))
    console(plain=plain).print(grid)
