from __future__ import annotations

import random
from itertools import pairwise

import pytest

from partywall.formats import line_diff
from partywall.formats.line_diff import unified


def patched(before: str, diff: str) -> str:
    """The text after a unified diff was applied, as `patch` does it."""
    lines, made, at = before.splitlines(keepends=True), [], 0
    entries = diff.splitlines(keepends=True)
    for entry, following in pairwise([*entries, ""]):
        line = entry[1:].removesuffix("\n") if following.startswith("\\") else entry[1:]
        if entry.startswith("@@"):
            start, _, count = entry.split()[1][1:].partition(",")
            first = int(start) - (count != "0")
            made += lines[at:first]
            at = first
        elif entry[0] in " -":
            assert lines[at] == line
            at += 1
        if entry[0] in " +":
            made.append(line)
    return "".join(made + lines[at:])


@pytest.mark.parametrize(
    ("before", "after", "diff"),
    [
        ("a\nb\n", "a\nb\n", ""),
        ("", "a\n", "@@ -0,0 +1 @@\n+a\n"),
        ("a\n", "", "@@ -1 +0,0 @@\n-a\n"),
        ("a\nb\nc\n", "a\nB\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"),
        ("a", "a\n", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"),
        ("a\x0cb\n", "a\x0cc\n", "@@ -1 +1 @@\n-a\x0cb\n+a\x0cc\n"),
    ],
)
def test_it_is_written_as_diff_writes_it(before: str, after: str, diff: str) -> None:
    assert "".join(unified(before, after, 3)) == diff


def test_changes_that_are_far_apart_get_hunks_of_their_own() -> None:
    before = "".join(f"{n}\n" for n in range(40))
    after = before.replace("\n3\n", "\nx\n").replace("\n30\n", "\n30\ny\n")
    heads = [line for line in unified(before, after, 3) if line.startswith("@@")]
    assert heads == ["@@ -1,7 +1,7 @@\n", "@@ -29,6 +29,7 @@\n"]
    assert [line for line in unified(before, after, 20) if line.startswith("@@")] == ["@@ -1,40 +1,41 @@\n"]
    assert len(list(unified(before, after, 0))) == 5


@pytest.mark.parametrize("pairs", [10_000, 4])
def test_it_turns_the_one_text_into_the_other(monkeypatch: pytest.MonkeyPatch, pairs: int) -> None:
    """Also where parts are too large to be compared exactly."""
    monkeypatch.setattr(line_diff, "_SMALL", pairs)
    chance = random.Random(7)
    for _ in range(300):
        alphabet = "abcdefghij"[: chance.randint(1, 10)]
        before, after = ("".join(f"{chance.choice(alphabet)}\n" for _ in range(chance.randint(0, 30))) for _ in "ab")
        if chance.random() < 0.3:
            after = after.removesuffix("\n")
        assert patched(before, "".join(unified(before, after, chance.randint(0, 3)))) == after


class Line(str):
    """Counts how often lines are compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        Line.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


@pytest.mark.parametrize("shape", ["same", "other", "reversed", "nested"])
def test_its_work_grows_with_the_texts(shape: str) -> None:
    """Twice the lines take at most about twice the comparisons."""
    work: list[int] = []
    for size in (2_000, 4_000):
        a, b = {
            "same": (["x\n"] * size, [*["x\n"] * (size // 2), "y\n", *["x\n"] * size]),
            "other": ([f"a{n % 7}\n" for n in range(size)], [f"b{n % 5}\n" for n in range(size)]),
            "reversed": ([f"{n}\n" for n in range(size)], [f"{size - n}\n" for n in range(size)]),
            "nested": (nested(size, 2), nested(size, 3)),
        }[shape]
        Line.compared = 0
        line_diff.changes([Line(each) for each in a], [Line(each) for each in b])
        work.append(Line.compared)
    assert work[1] <= 2.6 * work[0] + 100_000


def nested(size: int, step: int) -> list[str]:
    """Each fixed point leaves a part in which one more line has become unique."""
    return [f"{n // step if n % 2 else n}\n" for n in range(size)]
