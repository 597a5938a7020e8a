"""Regular expressions in a caller's schema: size is estimated before compiling, and nothing is cached."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes.util import find_library

import pytest

from partywall.core.json_schema import patterns
from partywall.core.json_schema.exceptions import SchemaRefusedError
from partywall.core.json_schema.limits import MAX_PATTERNS, refuse_unusable
from partywall.core.json_schema.pattern_sizes import UnsupportedPatternError, measured
from partywall.core.json_schema.patterns import MAX_COMPILED, Pattern, forgotten_patterns
from partywall.core.schemas import JsonObject


def schema(*each: str) -> JsonObject:
    return {"type": "object", "properties": {f"p{n}": {"type": "string", "pattern": p} for n, p in enumerate(each)}}


LARGE = {
    "a class of Unicode": [r"\w{200}"],
    "its contrary": [r"\W{50}"],
    "a property": [r"\p{L}{200}"],
    "a property in a letter": [r"\pL{200}"],
    "its contrary as well": [r"\P{Lu}{200}"],
    "in brackets": [r"[\w.-]{64}"],
    "in brackets, all others": [r"[^\w]{64}"],
    "repeated inside": [r"((\w{3}){3}){3}"],
    "repeated again": [r"\w{5}{5}"],
    "with blanks": [r"\w{ 200 }"],
    "at least": [r"\w{64,}"],
    "one of many": ["|".join([r"\w\w"] * 20)],
    "in large letters and small": [r"(?i)\w{64}"],
    "whose letters are all looked up": ["(?i)[\0-\U0010ffff]" * 3],
    "all others, whose letters are looked up": [r"(?i)\p{Any}[\D]" * 3],
    "where words end": [r"\b\w{9}\b"],
    "any character": [".{900}"],
    "letters": ["(a{200}){200}"],
    "small ones, many": [rf"\w\d{n}" for n in range(MAX_PATTERNS)],
}


@pytest.mark.parametrize("case", LARGE)
def test_what_would_be_large_is_not_compiled(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    monkeypatch.setattr(patterns, "_compiled", compiled.append)
    with pytest.raises(SchemaRefusedError, match="once compiled"):
        refuse_unusable(schema(*LARGE[case]))
    assert set(compiled) <= {f"^{number}$" for number in range(50)}


USUAL = [
    r"^\d{4}-\d{2}-\d{2}$", r"^[A-Z]{2}\d{2}[A-Z0-9]{4}\d{7}([A-Z0-9]?){0,16}$", r"^[\w.+-]+@[\w-]+\.[\w.]+$",
    r"^https?://[^\s/$.?#].[^\s]*$", r"^(?:\+\d{1,3})?[\s\d()/-]{5,20}$", r"^[A-ZÄÖÜ][a-zäöüß]{1,100}$",
    r"^(?P<code>INV|CR)-(?P<number>\d+)$", r"(?i)^(yes|no)$", r"^#[0-9a-fA-F]{6}$", r"^\p{Lu}\p{L}*$", r"\bEUR\b",
    r"^[^<>\[\]]{1,200}$", r"[]a-]", r"^[[:alpha:]]+$", r"\x41\u{1F600}\.", "^.{1,120}$",
]  # fmt: skip


def test_usual_patterns_are_taken() -> None:
    for pattern in USUAL:
        refuse_unusable(schema(pattern))
    refuse_unusable(schema(*USUAL[:6]))
    refuse_unusable(schema(*[r"^\d{4}-\d{2}-\d{2}$"] * MAX_PATTERNS))


@pytest.mark.parametrize(
    "pattern",
    ["(?=a)b", "(?<!a)b", r"(a)\1", "(", "a)", "[a", "*a", "a{,5}", "a{b}", "(?x)a # (", "(?u:a)", "[a[bc]]", r"\pé",
     r"a\x{110000}", r"\xg", "(?i", "[z-a]"],
)  # fmt: skip
def test_what_is_not_understood_is_not_a_pattern(pattern: str) -> None:
    with pytest.raises(UnsupportedPatternError):
        Pattern(measured(pattern))


def test_a_pattern_matches_as_it_stands() -> None:
    """Except that capturing groups do not capture, because captures need a table."""
    kept = measured(r"^(\d{2})-(?P<b>[(]|x)(?<c>\(y)?$")
    assert kept.pattern == r"^(?:\d{2})-(?:[(]|x)(?:\(y)?$"
    assert [Pattern(kept).matches(text) for text in ("12-(", "12-x(y", "12-y", "1-x")] == [True, True, False, False]


class _Mallinfo(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "rest", "cost")
    )


@pytest.fixture
def allocated() -> Callable[[], int]:
    """The bytes in use outside Python's own heaps."""
    libc = ctypes.CDLL(find_library("c"))
    if not hasattr(libc, "mallinfo2"):
        pytest.skip("this C library does not tell")
    libc.mallinfo2.restype = _Mallinfo

    def read() -> int:
        told = libc.mallinfo2()
        return int(told.uordblks + told.hblkhd)

    return read


DEAR = [
    r"\w{17}", r"[\W_]{16}", r"\p{L}{16}", r"\p{Grapheme_Base}{16}", r"\d{190}", r"[\d.,]{170}", r"\D{60}", r"\S{130}",
    r"(?s).{750}", "[^a]{600}", r"[^\x{500}]{550}", "(?i)s{2500}", "(?i)[a-z]{700}", "a{7500}", "(a|b){3000}",
    r"(\w\d){15}", r"\b\w+\b", r"(\pL\b){3}", r"\B.{90}", r"^(\w+) (\w+)$", r"[\pL--\p{Lu}]{8}",
]  # fmt: skip


@pytest.mark.parametrize("pattern", DEAR)
def test_no_pattern_is_larger_than_it_is_said_to_be(pattern: str, allocated: Callable[[], int]) -> None:
    found = measured(pattern)
    assert found.size.compiled <= MAX_COMPILED
    with forgotten_patterns():
        pass
    before = allocated()
    with forgotten_patterns():
        compiled = Pattern(found)
        compiled.matches("a")
        assert allocated() - before <= found.size.compiled + 50_000


def test_nothing_of_a_pattern_is_kept(allocated: Callable[[], int]) -> None:
    refuse_unusable(schema(r"\w{16}"))
    before = allocated()
    for number in range(5):
        refuse_unusable(schema(rf"\w{{16}}{number}"))
    assert allocated() - before < MAX_COMPILED / 4
