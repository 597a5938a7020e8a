"""The report: one HTML page without scripts that loads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from statistics import fmean

from partywall.client.evaluation.collection import Query
from partywall.client.evaluation.measures import MEASURES, first_match, ndcg
from partywall.client.evaluation.plots import differences, means, ranks
from partywall.client.evaluation.run import Run
from partywall.client.evaluation.significance import p_value

_SHOWN = 5
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c2530}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}p{max-width:44rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .7rem;border-bottom:1px solid #dde3ea}
td,th{vertical-align:top}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.up{color:#17703a}.down{color:#b3261e}.hit{font-weight:600}small{color:#5c6b7a;overflow-wrap:anywhere}
svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:#1c2530}
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A measure of two runs: the means, their difference, and how likely chance makes one as large."""

    measure: str
    first: float
    second: float
    p: float

    @property
    def difference(self) -> float:
        return self.second - self.first


def compare(queries: Sequence[Query], first: Run, second: Run) -> list[Comparison]:
    found = []
    for name, measure in MEASURES.items():
        before, after = first.scores(queries, measure), second.scores(queries, measure)
        changed = [b - a for a, b in zip(before, after, strict=True)]
        found.append(Comparison(name, fmean(before), fmean(after), p_value(changed)))
    return found


def page(title: str, queries: Sequence[Query], runs: Sequence[Run]) -> str:
    """The report of one run, or of two compared."""
    scores = [run.scores(queries, ndcg) for run in runs]
    parts = [f"<h1>{escape(title)}</h1><p>{len(queries)} queries.</p>", _measures(queries, runs)]
    parts.append(_figure("Measures", means([(run.name, run.means(queries)) for run in runs])))
    if len(runs) > 1:
        changed = sorted(b - a for a, b in zip(*scores, strict=True))
        parts.append(_figure(f"nDCG@10 of {runs[1].name} minus {runs[0].name}, by query", differences(changed)))
    first = [(run.name, [first_match(run.found.get(each.id, []), each.grades) for each in queries]) for run in runs]
    parts.append(_figure("Rank of the first document that matches", ranks(first)))
    parts.append(f"<h2>Queries</h2>{_queries(queries, runs, scores)}")
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _figure(title: str, svg: str) -> str:
    return f"<h2>{escape(title)}</h2>{svg}"


def _measures(queries: Sequence[Query], runs: Sequence[Run]) -> str:
    if len(runs) == 1:
        rows = ([name, f"{value:.4f}"] for name, value in runs[0].means(queries).items())
        return _table(["measure", runs[0].name], rows)
    compared = compare(queries, *runs)
    rows = ([c.measure, f"{c.first:.4f}", f"{c.second:.4f}", f"{c.difference:+.4f}", f"{c.p:.4f}"] for c in compared)
    note = "<p>p: how often chance alone makes so large a difference (paired randomisation test).</p>"
    return _table(["measure", runs[0].name, runs[1].name, "difference", "p"], rows) + note


def _queries(queries: Sequence[Query], runs: Sequence[Run], scores: Sequence[Sequence[float]]) -> str:
    """The queries that lose most come first; with one run, the worst."""
    order = sorted(range(len(queries)), key=lambda at: scores[-1][at] - (scores[0][at] if len(runs) > 1 else 0))
    rows = []
    for at in order:
        cells = [f"<td>{escape(queries[at].text)}</td>"]
        for run, values in zip(runs, scores, strict=True):
            found = run.found.get(queries[at].id, [])
            cells.append(f'<td class="n">{values[at]:.3f}</td><td><small>{_found(queries[at], found)}</small></td>')
        if len(runs) > 1:
            cells.append(_change(scores[1][at] - scores[0][at]))
        rows.append(f"<tr>{''.join(cells)}</tr>")
    names = "".join(f'<th class="n">{escape(run.name)}</th><th>best {_SHOWN}</th>' for run in runs)
    return f"<table><tr><th>query</th>{names}{'<th>difference</th>' * (len(runs) > 1)}</tr>{''.join(rows)}</table>"


def _found(query: Query, found: Sequence[str]) -> str:
    return "<br>".join(
        f'<span class="hit">{escape(each)}</span>' if query.grades.get(each, 0) > 0 else escape(each)
        for each in found[:_SHOWN]
    )


def _change(value: float) -> str:
    direction = "up" if value > 0 else "down" if value < 0 else ""
    return f'<td class="n {direction}">{value:+.3f}</td>'


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def row(tag: str, cells: Sequence[str]) -> str:
        first, *others = map(escape, cells)
        return f"<tr><{tag}>{first}</{tag}>{''.join(f'<{tag} class="n">{each}</{tag}>' for each in others)}</tr>"

    return f"<table>{row('th', names)}{''.join(row('td', cells) for cells in rows)}</table>"
