"""Damaged variants of real files, the same ones for the same numbers: flipped bits, cut ends, parts swapped."""

from __future__ import annotations

import asyncio
import random
import resource
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

_UNUSUAL: Final = frozenset({"too_costly", "crashed", "busy"})
_SHOWN: Final = 40


@dataclass(slots=True)
class Ends:
    """How variants ended, by the kind of their file; `unusual` are those to look at."""

    counts: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    slowest: Counter[str] = field(default_factory=Counter)
    unusual: list[str] = field(default_factory=list)

    def note(self, number: int, name: str, end: str, milliseconds: int) -> None:
        kind = name.rpartition(".")[2]
        self.counts[kind][end] += 1
        self.slowest[kind] = max(self.slowest[kind], milliseconds)
        if end in _UNUSUAL:
            self.unusual.append(f"{number} {name}: {end} after {milliseconds} ms")

    def show(self) -> None:
        for kind, counts in sorted(self.counts.items()):
            print(f"{kind:6} slowest {self.slowest[kind] / 1000:5.1f} s  {dict(counts.most_common())}")
        total = sum(self.counts.values(), Counter[str]())
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        print(f"{total.total()} damaged files: {dict(total.most_common())}; at most {peak} MB of memory in a process")
        print("\n".join(self.unusual[:_SHOWN]))


async def endure(
    read: Callable[[str, bytes], Awaitable[str]], bodies: Mapping[str, bytes], numbers: range, at_once: int
) -> Ends:
    """Reads one variant for each number. `read` says how a file ended."""
    ends, waiting = Ends(), iter(numbers)

    async def read_some() -> None:
        for number in waiting:
            name, data = variant(bodies, number)
            began = time.monotonic()
            end = await read(name, data)
            ends.note(number, name, end, round(1000 * (time.monotonic() - began)))

    await asyncio.gather(*(read_some() for _ in range(at_once)))
    return ends


def variant(bodies: Mapping[str, bytes], number: int) -> tuple[str, bytes]:
    """The name of the file that was damaged, and its bytes."""
    chance = random.Random(number)
    names = list(bodies)
    name = names[number % len(names)]
    data = bytearray(bodies[name])
    if not data:
        return name, b""
    match chance.randrange(3):
        case 0:
            for _ in range(chance.randrange(1, 40)):
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        case 1:
            del data[chance.randrange(len(data)) :]
        case _:
            other = bodies[chance.choice(names)]
            at, length = chance.randrange(len(data)), chance.randrange(1, 20_000)
            data[at : at + length] = other[at : at + length]
    return name, bytes(data)
