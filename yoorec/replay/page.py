"""The report as one HTML file that needs nothing else: figures, plots and tables, no script and no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from yoorec.replay.gates import CONTROL
from yoorec.replay.plots import Mark, bars, intervals
from yoorec.replay.report import Report
from yoorec.replay.statistics import Interval
from yoorec.replay.table import better

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
.key span{margin-right:18px}.key span::before{content:"\\25CF\\00A0"}
"""


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
            verdict = better(difference, label not in report.lower_is_better)
            style = {1: "good", -1: "bad", 0: "soft"}[verdict]
            row += [_span(variant.metrics[label]), f'<td class="{style}">{_span(difference, "+")}</td>']
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
        [escape(trigger if name == CONTROL else f"{trigger} ({name})"), *(_span(metrics[each]) for each in labels)]
        for name, variant in report.variants.items()
        for trigger, metrics in variant.triggers.items()
        if name == CONTROL or report.control.triggers.get(trigger) != metrics
    ]
    return _html_table(["trigger", *labels], rows)


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
