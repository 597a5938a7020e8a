from __future__ import annotations

from io import StringIO

from rich.console import Console

from partywall.client.search import Explanation, Half, Hit, Span, place
from partywall.commands.search import _show
from partywall.commands.terminal import printable

HIT = Hit(
    document_id="7",
    title="Bees \x1b]0;owned\x07",
    text="One.\n\nThe hive \x1b[31mhums in the orchard, and it hums all day until the evening comes.",
    start=0,
    end=80,
    score=0.5,
    highlights=[Span(start=10, end=14)],
)


def shown(terminal: bool, hit: Hit = HIT) -> str:
    file = StringIO()
    _show(1, hit, Console(file=file, force_terminal=terminal, width=40, color_system=None, highlight=False))
    return file.getvalue()


def test_a_hit_is_two_lines_in_a_pipe_without_control_characters() -> None:
    lines = shown(terminal=False).splitlines()
    assert lines[0].startswith(" 1. Bees  ]0;owned   0.500  7")
    assert lines[1].startswith("    One. The hive [31mhums in the orchard, and it hums all day")
    assert "\x1b" not in "".join(lines)


def test_a_hit_says_where_a_person_finds_it() -> None:
    assert place(HIT) == ""
    found = HIT.model_copy(update={"external_id": "hives/report.pdf", "page": 12, "section": "The\x1b evening"})
    assert place(found) == "hives/report.pdf, page 12, The\x1b evening"
    assert (
        shown(terminal=False, hit=found).splitlines()[0].endswith("0.500  7  hives/report.pdf, page 12, The  evening")
    )
    assert place(HIT.model_copy(update={"section": HIT.title, "page": 1})) == "page 1"


def test_a_hit_says_how_many_copies_there_are_and_why_it_is_there() -> None:
    halves = {"text": Half(rank=1, score=7.31, share=0.8), "vector": None}
    why = Explanation(**halves, phrase=0.5, fused=0.7, rerank=None)
    first, second, *_ = shown(terminal=False, hit=HIT.model_copy(update={"duplicates": 2, "explanation": why})).split(
        "\n"
    )
    assert first.endswith("(the same text in 2 more)")
    assert second == "    text: rank 1, BM25 7.310, share 0.80; vector: not found; phrase: 0.50; fused: 0.700"


def test_on_a_terminal_lines_fit() -> None:
    output = shown(terminal=True)
    assert "hive" in output
    assert "\x1b[31m" not in output
    assert "\x07" not in output
    assert len(output.splitlines()) > 4


def test_printable_keeps_the_length() -> None:
    assert printable("a\x1bb\n\u2028c") == "a b  c"
    assert printable("grüße") == "grüße"
