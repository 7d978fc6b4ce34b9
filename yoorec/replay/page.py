"""The report as one HTML file that needs nothing else: figures, plots and tables, no script and no network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from yoorec.replay.gates import CONTROL
from yoorec.replay.plots import Mark, bars, intervals
from yoorec.replay.report import Report, SliceSize, VariantReport
from yoorec.replay.statistics import Interval
from yoorec.replay.table import DIMENSIONS, SOURCE_FIGURES, better, first_metric, sliced_metrics, too_few

__all__ = ["page"]

_STYLE = """
:root{color-scheme:light dark;--back:#fff;--text:#1b1f24;--soft:#5b6570;--line:#d9dee3;--panel:#f6f8fa;
--c0:#2f5f9e;--c1:#c2571a;--c2:#2b8a57;--c3:#8549a8;--c4:#a3870b;--good:#1a7f37;--bad:#c62828}
@media (prefers-color-scheme:dark){:root{--back:#14171a;--text:#e4e8ec;--soft:#98a2ad;--line:#333a41;--panel:#1c2126;
--c0:#7fb0ee;--c1:#f0955c;--c2:#69c996;--c3:#c596e3;--c4:#dcc255;--good:#56d17c;--bad:#ff7b72}}
body{background:var(--back);color:var(--text);font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:860px;
padding:24px 16px 64px}
h1{font-size:24px;margin:0 0 4px}h2{font-size:17px;margin:36px 0 8px}h3{font-size:14px;margin:20px 0 4px}
p{margin:4px 0;color:var(--soft)}code{font-size:13px}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:13.5px;font-variant-numeric:tabular-nums}
th,td{padding:4px 14px 4px 0;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left}td.wide{white-space:normal;text-align:left}
th{font-weight:600;color:var(--soft)}.good{color:var(--good)}.bad{color:var(--bad)}.soft{color:var(--soft)}
svg{width:100%;height:auto;background:var(--panel);border-radius:6px}
svg text{font:12px system-ui,sans-serif;fill:var(--text)}svg .tick,svg .number{fill:var(--soft)}
svg .grid{stroke:var(--line)}svg .zero{stroke:var(--soft);stroke-dasharray:4 3}
svg .span{stroke:currentColor;stroke-width:3;stroke-linecap:round;opacity:.55}
svg circle,svg rect{fill:currentColor}svg rect{opacity:.75}svg .whisker{stroke:var(--text);stroke-width:1.5}
.control{color:var(--c0)}.v1{color:var(--c1)}.v2{color:var(--c2)}.v3{color:var(--c3)}.v4{color:var(--c4)}
summary{cursor:pointer;font-size:14px;font-weight:600;margin:10px 0 4px}
.key span{margin-right:18px}.key span::before{content:"\\25CF\\00A0"}
"""

_TOO_FEW = '<td class="soft">too few</td>'


def page(report: Report) -> str:
    """The whole document."""
    kinds = _kinds(report)
    parts = [
        f"<h1>{escape(report.scene)}</h1>",
        f"<p>{escape(_facts(report))}</p>",
        _gates(report),
        "<h2>Slates</h2>",
        _slates(report),
        _key(kinds),
        *(_metric(report, kinds, label) for label in report.control.metrics),
        _differences(report, kinds),
        "<h2>Funnel</h2><p>Share of a request's truths still in the list after each stage.</p>",
        _key(kinds),
        bars("Recall after each stage", _stage_marks(report, kinds)),
        "<h2>Each trigger alone</h2><p>Its own candidates under the same exposure rules.</p>",
        _alone(report),
        _versus_baseline(report),
        "<h2>What each trigger adds</h2><p>Mean share of a request's truths that it recalled at its own limit; that it "
        "alone recalled, among the merged candidates; that stand in the slate with it among their sources; and with it "
        "as their only source.</p>",
        _sources(report),
        *_slices(report),
        "<h2>Cost</h2>",
        _cost(report),
        "<h2>What it stands on</h2>",
        _ground(report),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(report.scene)}: replay</title><style>{_STYLE}</style></head><body>"
        + "\n".join(part for part in parts if part)
        + "</body></html>\n"
    )


def _facts(report: Report) -> str:
    drawn = "" if report.requests == report.available else f", drawn from {report.available:,}"
    return (
        f"{report.scenario}, hash {report.hash}: {report.requests:,} requests of {report.clusters:,} "
        f"{report.cluster_kind}s{drawn}, all after {report.cuts['replay'].iso}; protocol {report.protocol}, "
        f"truth {report.truth}, slate of {report.slate}; 95 % intervals from {report.resamples:,} resamples of "
        f"{report.cluster_kind}s, seed {report.seed}; made {report.created.iso} by yoorec {report.yoorec}."
    )


def _kinds(report: Report) -> dict[str, str]:
    others = [name for name in report.variants if name != CONTROL]
    return {CONTROL: "control"} | {name: f"v{1 + place % 4}" for place, name in enumerate(others)}


def _key(kinds: dict[str, str]) -> str:
    names = (f'<span class="{kind}">{escape(name)}</span>' for name, kind in kinds.items())
    return f'<p class="key">{"".join(names)}</p>'


def _html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the cells of `rows` are HTML already, those of `head` plain text."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(text: str) -> str:
    return text if text.startswith("<td") else f"<td>{text}</td>"


def _span(figure: Interval, sign: str = "") -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.value:{sign}.4f}"
    return f'{figure.value:{sign}.4f} <span class="soft">[{figure.low:{sign}.4f}, {figure.high:{sign}.4f}]</span>'


def _change(report: Report, label: str, difference: Interval) -> str:
    """The cell of a difference, coloured where its interval shows which side is better."""
    style = {1: "good", -1: "bad", 0: "soft"}[better(difference, label not in report.lower_is_better)]
    return f'<td class="{style}">{_span(difference, "+")}</td>'


def _gates(report: Report) -> str:
    if not report.gates:
        return ""
    words = {
        True: '<td class="good">pass</td>',
        False: '<td class="bad">FAIL</td>',
        None: "<td>not judged</td>",
    }
    rows = (
        (words[gate.passed], f"<code>{escape(gate.gate)}</code>", escape(gate.variant),
         f'<td class="wide">{escape(gate.reason)}</td>')
        for gate in report.gates
    )  # fmt: skip
    return "<h2>Gates</h2>" + _html_table(("", "gate", "variant", "reason"), rows)


def _slates(report: Report) -> str:
    others = [name for name in report.variants if name != CONTROL]
    head = ["metric", CONTROL]
    for name in others:
        head += [name, "against control"]
    rows = []
    for label, figure in report.control.metrics.items():
        row = [escape(label), _span(figure)]
        for name in others:
            variant = report.variants[name]
            difference = variant.versus_control[label]
            row += [_span(variant.metrics[label]), _change(report, label, difference)]
        rows.append(row)
    return _html_table(head, rows)


def _metric(report: Report, kinds: dict[str, str], label: str) -> str:
    marks = [Mark(name, variant.metrics[label], kinds[name]) for name, variant in report.variants.items()]
    triggers = list(dict.fromkeys(name for variant in report.variants.values() for name in variant.triggers))
    for trigger in triggers:
        first = True
        for name, variant in report.variants.items():
            found = variant.triggers.get(trigger, {}).get(label)
            if found is None:
                continue
            if name != CONTROL and report.control.triggers.get(trigger, {}).get(label) == found:
                continue
            title = f"{trigger} alone" if name == CONTROL else f"{trigger} alone, {name}"
            marks.append(Mark(title, found, kinds[name], gap=first))
            first = False
    return f"<h3>{escape(label)}</h3>" + intervals(label, marks, zero=False)


def _differences(report: Report, kinds: dict[str, str]) -> str:
    others = [name for name in report.variants if name != CONTROL]
    if not others:
        return ""
    marks: list[Mark] = []
    for label in report.control.metrics:
        for place, name in enumerate(others):
            difference = report.variants[name].versus_control[label]
            marks.append(Mark(f"{label}, {name}", difference, kinds[name], gap=place == 0 and bool(marks)))
    title = "Difference from control on the same requests"
    return f"<h3>{title}</h3>" + intervals(title, marks)


def _stage_marks(report: Report, kinds: dict[str, str]) -> list[Mark]:
    marks: list[Mark] = []
    stages = list(dict.fromkeys(stage for variant in report.variants.values() for stage in variant.stages))
    order = list(report.control.stages)
    stages.sort(key=lambda stage: order.index(stage) if stage in order else len(order))
    several = len(report.variants) > 1
    for stage in stages:
        first = several and bool(marks)
        for name, variant in report.variants.items():
            found = variant.stages.get(stage)
            if found is None:
                continue
            title = stage if name == CONTROL else name
            marks.append(Mark(title, found.recall, kinds[name], f"{found.candidates:.1f} items", first))
            first = False
    return marks


def _alone(report: Report) -> str:
    labels = list(report.control.metrics)
    rows = [
        [escape(_named(trigger, name)), *(_span(metrics[each]) for each in labels)]
        for name, variant in report.variants.items()
        for trigger, metrics in variant.triggers.items()
        if name == CONTROL or report.control.triggers.get(trigger) != metrics
    ]
    return _html_table(["trigger", *labels], rows)


def _versus_baseline(report: Report) -> str:
    labels = list(report.control.metrics)
    rows = [
        [escape(_named(trigger, name)), *(_change(report, each, differences[each]) for each in labels)]
        for name, variant in report.variants.items()
        for trigger, differences in variant.versus_baseline.items()
        if name == CONTROL or report.control.versus_baseline.get(trigger) != differences
    ]
    if not rows:
        return ""
    names = dict.fromkeys(variant.baseline for variant in report.variants.values() if variant.versus_baseline)
    title = f"Difference from {', '.join(map(str, names))} alone on the same requests"
    return f"<h3>{escape(title)}</h3>" + _html_table(["trigger", *labels], rows)


def _sources(report: Report) -> str:
    rows = [
        [escape(_named(trigger, name)), *(_span(getattr(figures, each)) for each in SOURCE_FIGURES)]
        for name, variant in report.variants.items()
        for trigger, figures in variant.sources.items()
        if name == CONTROL or report.control.sources.get(trigger) != figures
    ]
    return _html_table(["trigger", *SOURCE_FIGURES.values()], rows)


def _named(trigger: str, variant: str) -> str:
    return trigger if variant == CONTROL else f"{trigger} ({variant})"


def _slices(report: Report) -> Iterable[str]:
    """A section for each dimension: the sizes of its slices, and a table to unfold for each figure."""
    for dimension, sizes in report.slices.items():
        yield f"<h2>By {escape(DIMENSIONS.get(dimension, dimension))}</h2>"
        rows = [
            ["requests", *(f"{size.requests:,}" for size in sizes.values())],
            [f"{escape(report.cluster_kind)}s", *(f"{size.clusters:,}" for size in sizes.values())],
        ]
        yield _html_table(["", *sizes], rows)
        if not all(size.enough for size in sizes.values()):
            yield f"<p>{escape(too_few(report))}.</p>"
        if not any(size.enough for size in sizes.values()):
            continue
        for label in sliced_metrics(report):
            shown = "<details open>" if label == first_metric(report) else "<details>"
            table = _html_table(["", *sizes], _slice_rows(report, dimension, sizes, label))
            yield f"{shown}<summary>{escape(label)}</summary>{table}</details>"
        for figure, title in SOURCE_FIGURES.items():
            table = _html_table(["trigger", *sizes], _source_rows(report, dimension, sizes, figure))
            yield f"<details><summary>Share of the truths: {escape(title)}</summary>{table}</details>"


def _slice_rows(report: Report, dimension: str, sizes: Mapping[str, SliceSize], label: str) -> Iterable[list[str]]:
    """One metric: slates and their differences from control, triggers alone and theirs from the baseline."""

    def row(title: str, variant: VariantReport, figures: str, trigger: str = "") -> list[str]:
        parts = variant.slices.get(dimension, {})
        cells = [escape(title)]
        for name in sizes:
            if name not in parts:
                cells.append(_TOO_FEW)
                continue
            found = getattr(parts[name], figures)
            figure = (found[trigger] if trigger else found)[label]
            cells.append(_change(report, label, figure) if figures.startswith("versus") else _span(figure))
        return cells

    for name, variant in report.variants.items():
        yield row("slate" if name == CONTROL else f"slate ({name})", variant, "metrics")
        if name != CONTROL:
            yield row(f"slate ({name}) - control", variant, "versus_control")
    for name, variant in report.variants.items():
        for trigger, figures in variant.triggers.items():
            if name == CONTROL or report.control.triggers.get(trigger) != figures:
                yield row(_named(trigger, name), variant, "triggers", trigger)
    for name, variant in report.variants.items():
        for trigger, differences in variant.versus_baseline.items():
            if name == CONTROL or report.control.versus_baseline.get(trigger) != differences:
                yield row(f"{_named(trigger, name)} - {variant.baseline}", variant, "versus_baseline", trigger)


def _source_rows(report: Report, dimension: str, sizes: Mapping[str, SliceSize], figure: str) -> Iterable[list[str]]:
    """One figure of what triggers add, a slice a column."""
    for name, variant in report.variants.items():
        parts = variant.slices.get(dimension, {})
        for trigger, figures in variant.sources.items():
            if name == CONTROL or report.control.sources.get(trigger) != figures:
                cells = (
                    _span(getattr(parts[each].sources[trigger], figure)) if each in parts else _TOO_FEW
                    for each in sizes
                )
                yield [escape(_named(trigger, name)), *cells]


def _cost(report: Report) -> str:
    head, rows = ["", *report.variants], [["requests/s, in batches"], ["p50, one at a time"], ["p99, one at a time"]]
    for variant in report.variants.values():
        rows[0].append(f"{variant.requests_per_s:,.0f}")
        rows[1].append("" if variant.latency is None else f"{variant.latency.p50_ms:.2f} ms")
        rows[2].append("" if variant.latency is None else f"{variant.latency.p99_ms:.2f} ms")
    stages = dict.fromkeys(stage for variant in report.variants.values() for stage in variant.timings_us)
    for stage in stages:
        cells = (variant.timings_us.get(stage) for variant in report.variants.values())
        rows.append([escape(stage), *("" if each is None else f"{each:.1f} µs" for each in cells)])
    drifting = dict.fromkeys(name for variant in report.variants.values() for name in variant.drift)
    for trigger in drifting:
        found = (variant.drift.get(trigger) for variant in report.variants.values())
        rows.append([f"score drift (PSI), {escape(trigger)}", *("" if psi is None else f"{psi:.3f}" for psi in found)])
    return _html_table(head, rows)


def _ground(report: Report) -> str:
    parts = [f"<p>Data <code>{escape(report.data)}</code>. "]
    parts.append(", ".join(f"{escape(name)} {escape(cut.iso)}" for name, cut in report.cuts.items()) + ".</p>")
    for table, quality in report.quality.items():
        parts.append(f"<p>{escape(table)}: {quality.read:,} rows read, {quality.bad:,} left out.</p>")
        parts += [f"<p><code>{escape(example)}</code></p>" for example in quality.examples]
        parts += [f"<p>{escape(note)}</p>" for note in quality.notes]
    rows = [
        [escape(name), escape(slot), f"<code>{escape(note.component)}</code>",
         f"<code>{escape(note.fingerprint)}</code>", escape(note.cut.iso) if note.cut else "learned from no events"]
        for name, variant in report.variants.items()
        for slot, note in variant.artifacts.items()
        if name == CONTROL or report.control.artifacts.get(slot) != note
    ]  # fmt: skip
    parts.append(_html_table(("variant", "slot", "component", "version", "learned before"), rows))
    for name, variant in report.variants.items():
        if variant.overrides:
            parts.append(f"<p>{escape(name)}: <code>{escape(' '.join(variant.overrides))}</code></p>")
    return "".join(parts)
