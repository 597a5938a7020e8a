"""Formats and judges results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.hostile.attack import POINTS, Attack
from bench.hostile.monitor import PARTS
from bench.hostile.normal_traffic import DUE, Sample

REQUEST_SECONDS = 1.0
# Above idle. Each text process has a limit of 512 MB; the API and the worker have two each.
MOST_MB = {"api": 150.0, "worker": 150.0, "texts": 4 * 512.0}
HEADS = (
    "attack",
    "sends",
    "answers",
    "honest p50 / p95 / max",
    "failed",
    "API MB",
    "worker MB",
    "texts MB",
    "generator",
)


@dataclass(frozen=True, slots=True)
class Round:
    """One attack. `above` is the peak memory above idle in MB, `share` the generator's share of one core."""

    attack: Attack
    began: float
    ended: float
    counts: Mapping[str, int]
    samples: Sequence[Sample]
    above: Mapping[str, float]
    share: float
    error: str | None
    restarts: int

    def faults(self) -> Iterator[str]:
        yield from faults_in(self.samples)
        if not self.samples:
            yield "no samples of the honest client"
        for part, megabytes in self.above.items():
            if megabytes > MOST_MB[part]:
                yield f"{part} {megabytes:.0f} MB above idle"
        for status, count in self.counts.items():
            if status == "500":
                yield f"{count} times 500 to the attacker"
        if self.restarts:
            yield f"{self.restarts} restart(s) of the API or the worker"
        if self.error is not None:
            yield f"could not start: {self.error}"


def faults_in(samples: Sequence[Sample]) -> Iterator[str]:
    """Failed and late answers, counted by kind."""
    failed = Counter(f"{each.name}: {each.wrong[:120]}" for each in samples if each.wrong)
    for what, count in failed.items():
        yield f"{count} x honest {what}"
    late: dict[str, list[float]] = {}
    for each in samples:
        if not each.wrong and each.seconds > DUE.get(each.name, REQUEST_SECONDS):
            late.setdefault(each.name, []).append(each.seconds)
    for name, seconds in late.items():
        yield f"{len(seconds)} x honest {name} late, up to {max(seconds):.2f} s"


def latencies(samples: Sequence[Sample]) -> str:
    """p50, p95 and maximum of requests; without effects that wait in a queue."""
    taken = sorted(1000 * each.seconds for each in samples if each.name not in DUE)
    if not taken:
        return "-"
    return f"{taken[len(taken) // 2]:.0f} / {taken[int(len(taken) * 0.95)]:.0f} / {taken[-1]:.0f} ms"


def answers(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{status} x {count:,}" for status, count in sorted(counts.items())) or "none"


def cells(found: Round) -> list[str]:
    failed = sum(bool(each.wrong) for each in found.samples)
    memory = [f"{found.above[part]:+.0f}" if part in found.above else "gone" for part in PARTS]
    return [
        found.attack.name, found.attack.sends, answers(found.counts), latencies(found.samples), str(failed), *memory,
        f"{100 * found.share:.0f} %",
    ]  # fmt: skip


def line(found: Round) -> str:
    name, _, answered, honest, failed, api, worker, texts, share = cells(found)
    mark = "FAULT" if any(found.faults()) else "ok"
    first = f"{mark:5} {name:24} {honest:24} failed {failed:3} API {api:>5} worker {worker:>5} texts {texts:>5} MB"
    return f"{first}  generator {share:>5}  {answered}"


def markdown(rounds: Sequence[Round]) -> str:
    """One table per point."""
    lines: list[str] = []
    for point, title in POINTS.items():
        chosen = [each for each in rounds if each.attack.point == point]
        if chosen:
            lines += [f"### {title}", "", _row(HEADS), _row(["---"] * len(HEADS))]
            lines += [*(_row(cells(each)) for each in chosen), ""]
    return "\n".join(lines)


def _row(values: Sequence[str]) -> str:
    return f"| {' | '.join(value.replace('|', chr(92) + '|') for value in values)} |"


def failures(samples: Sequence[Sample]) -> int:
    return sum(bool(each.wrong) for each in samples)


def waits(samples: Sequence[Sample]) -> str:
    """The delay of requests' effects."""
    parts = []
    for name in DUE:
        taken = sorted(each.seconds for each in samples if each.name == name and not each.wrong)
        if taken:
            parts.append(f"{name} p50 {taken[len(taken) // 2]:.2f} s, max {taken[-1]:.2f} s")
    return "; ".join(parts)
