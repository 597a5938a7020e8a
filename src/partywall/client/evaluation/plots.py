"""The report's plots, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

_COLORS: Final = ("#8fa3b8", "#1f5fa8")
_WIDTH: Final = 900
_HEIGHT: Final = 240
_BASE: Final = 200
_RANKS: Final = (("1", 1), ("2", 2), ("3", 3), ("4-10", 10), ("11-100", 100))

type Named[Value] = Sequence[tuple[str, Value]]


def means(runs: Named[Mapping[str, float]]) -> str:
    """A bar for each measure and run."""
    labels = list(runs[0][1])
    return _bars(labels, [(name, list(values.values())) for name, values in runs], 1.0, "{:.3f}")


def ranks(runs: Named[Sequence[int | None]]) -> str:
    """How many queries have their first match at which rank."""
    labels = [*(label for label, _ in _RANKS), "not found"]
    counted = [(name, _counts(values)) for name, values in runs]
    return _bars(labels, counted, max(1.0, *(max(counts) for _, counts in counted)), "{:.0f}")


def differences(values: Sequence[float]) -> str:
    """A bar for each query, from the largest loss to the largest gain."""
    width, middle = (_WIDTH - 60) / len(values), _HEIGHT / 2
    bars = []
    for at, value in enumerate(values):
        height = abs(value) * (middle - 20)
        top = middle - height if value > 0 else middle
        color = "#17703a" if value > 0 else "#b3261e"
        bars.append(_rect(50 + at * width, top, max(width * 0.85, 0.2), height, color))
    scale = "".join(
        _text(40, middle - each * (middle - 20) + 4, f"{each:+.1f}", "end") for each in (1, 0.5, 0, -0.5, -1)
    )
    line = f'<line x1="46" x2="{_WIDTH}" y1="{middle}" y2="{middle}" stroke="#1c2530"/>'
    return _svg("".join(bars) + scale + line, "Differences by query")


def _counts(values: Sequence[int | None]) -> list[float]:
    counts, before = [], 0
    for _, last in _RANKS:
        counts.append(float(sum(each is not None and before < each <= last for each in values)))
        before = last
    return [*counts, float(len(values) - sum(counts))]


def _bars(labels: Sequence[str], runs: Named[Sequence[float]], most: float, shown: str) -> str:
    parts, group = [], _WIDTH / len(labels)
    width = group * 0.7 / len(runs)
    for run, (name, values) in enumerate(runs):
        for at, value in enumerate(values):
            left, height = at * group + group * 0.15 + run * width, value / most * (_BASE - 40)
            parts.append(_rect(left, _BASE - height, width * 0.92, height, _COLORS[run % len(_COLORS)]))
            parts.append(_text(left + width * 0.46, _BASE - height - 5, shown.format(value), "middle"))
        parts.append(
            _rect(run * 220, 2, 12, 12, _COLORS[run % len(_COLORS)]) + _text(run * 220 + 18, 12, name, "start")
        )
    parts += [_text(at * group + group / 2, _BASE + 20, label, "middle") for at, label in enumerate(labels)]
    return _svg("".join(parts), ", ".join(labels))


def _rect(left: float, top: float, width: float, height: float, color: str) -> str:
    return f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.2f}" height="{height:.1f}" fill="{color}"/>'


def _text(left: float, top: float, text: str, anchor: str) -> str:
    return f'<text x="{left:.1f}" y="{top:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(content: str, label: str) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">{content}</svg>'
