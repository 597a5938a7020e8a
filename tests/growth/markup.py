"""Readers of reStructuredText and Org, which run in a text process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from partywall.features.documents.readers.org import read_org
from partywall.features.documents.readers.rst import read_rst
from tests.growth.reader import DOCUMENT, Reader
from tests.growth.shapes import repeated


def _places(names: dict[str, str]) -> Iterator[str]:
    for file, places in names.items():
        yield from (f"features/documents/readers/{file}.py:{place}" for place in places.split())


_RST: Final = {
    "rst": "read_rst _SUBSTITUTION _CODE_POINT",
    "rst_blocks": "_RULE _BULLET _NUMBER _FIELD _LINE_BLOCK _FOOTNOTE _EXPLICIT _KEYWORD",
    "rst_directives": "DIRECTIVE _OPTION",
    "rst_inline": "_ENDS _BEGIN _ROLE _ROLE_AFTER _NOTE _TARGET _ESCAPE _ACCESS_KEY",
    "rst_tables": "csv_rows SIMPLE_BORDER GRID_BORDER _CELL_ITEM _SPAN_RULE _COLUMN",
}
_ORG: Final = {
    "org": "read_org _HEADLINE _TAGS _PRIORITY _COOKIE _KEYWORD _BEGIN _END _COMMENT _DRAWER _PLANNING"
    " _FIXED _TABLE_RULE _ALIGNMENT _ITEM _COUNTER _CHECKBOX _DASHES _FOOTNOTE _TIMESTAMP _TERM",
    "org_inline": "_CLOSINGS _BEGIN _ADDRESS _LINK _NOTE _CITATION _SOURCE _TARGET _MACRO _SNIPPET _ENTITY _SCRIPT"
    " _PICTURE",
    "org_macros": "_DEFINITION _ARGUMENT _COMMA",
}
_RST_SHAPES: Final = {
    repr(part): repeated(part)
    for part in (
        "a\n=\n\n", "=\na\n=\n", "- ", "- a\n\n", "1. a\n", "a\n b\n", ":a: b\n", ":a", "| a\n", "+-+\n| a |\n",
        "=== ===\n", "=== ===\na b\n\n", "a::\n\n b\n\n", "a::\n\n", ">>> a\n\n", ".. a\n", ".. [1] a\n", ".. _a:\n",
        "..\n\n",
        ".. a:: b\n   :c: d\n\n", ".. |a| replace:: b\n", ".. |a| replace:: b\n  c\n  d\n",
        ".. csv-table::\n\n   'a,\"b\n", "``a ", "`a ", "`a <b>`_ ",
        "`a <",
        ":a:`b` ", ":guilabel:`&a&&`",
        ":a:`b ", "*a ", "**a ", "|a ", "|a| ", "a_ ", "a__", "_`a` ", "[a]_ ", "[a", "\\a", "a.b", "\f",
        "\n",
    )
} | {
    "deep lists": lambda n: "".join("  " * (depth % 40) + "- a\n\n" for depth in range(n // 45)),
    "deeper and deeper": lambda n: "".join(" " * depth + "a\n" for depth in range(int((2 * n) ** 0.5))),
    "notes in notes": lambda n: "".join(" " * depth + ".. note::\n" for depth in range(int((2 * n + 400) ** 0.5) - 20)),
    "a wide grid": lambda n: "+-" * (n // 4) + "+\n" + "|a" * (n // 4) + "|\n",
    "a wide border": lambda n: "+-" * (n // 4) + "+\n" + "|\n" * (n // 4),
    "a wide table": lambda n: "= " * (n // 6) + "=\n" + "a " * (n // 6) + "\n" + "= " * (n // 6) + "=\n",
    "a cell of many lines": repeated("    a\n", start="=== ===\na   b\n"),
    "substitutions": lambda n: "".join(f".. |{k}| replace:: a\n" for k in range(n // 44)) + "|1| " * (n // 8),
    "spaces in a reference": lambda n: "`a" + " " * n + "<b`_\n",
    "a list of cells": repeated("     - a\n", start=".. list-table::\n\n   * - a\n"),
}  # fmt: skip
_ORG_SHAPES: Final = {
    repr(part): repeated(part)
    for part in (
        "* a\n", "*", "* COMMENT a\n", "* a :b", "* [1/2] a\n", "#+TITLE: a\n", "#+TODO: A\n", "#+begin_src\n",
        "#+begin_quote\n",
        "#+end_src\n", ":PROPERTIES:\n", ":PROPERTIES:\n* a\n", ":END:\n", "| a ", "| a\n", "|-\n", ": a\n", "- a\n",
        "  a\n",
        "[[", "[[a]", "[[a][b", "[[a][b]]", "[fn:", "[fn:a:", "<<", "<<<a", "{{{", "{{{a(",
        "{{{a(b,c)}}}", "#+MACRO: a b\n", "a://b ", "<a://", "a+", "[cite:@a", "src_a{b", "- a ::",
        "#+DATE: <2026-01-02", "@@a:", "\\a", "_{a",
        "*a ", "/a ", "=a ",
        "~a~", "*a* ", "(*", "a* ", "%%(", "\n",
    )
} | {
    "deep lists": lambda n: "".join(" " * depth + "- a\n" for depth in range(int((2 * n) ** 0.5) - 3)),
    "macros": lambda n: "#+MACRO: a " + "$1" * 400 + "\n" + ("{{{a(" + "b" * 300 + ")}}}\n") * (n // 310),
    "emphasis": lambda n: "*a " * (n // 6) + "b* " * (n // 6),
    "a wide table": lambda n: "|a" * (n // 4) + "\n" + "|a\n" * (n // 6),
    "spaces in a heading": lambda n: "* a" + " " * n + "b\n",
    "spaces in an item": lambda n: "- a" + " " * n + ":: b\n",
    "spaces in a title": lambda n: "#+TITLE: a" + " " * n + "b\n",
}  # fmt: skip

MARKUP: Final = (
    Reader(tuple(_places(_RST)), read_rst, DOCUMENT, _RST_SHAPES, seconds=60),
    Reader(tuple(_places(_ORG)), read_org, DOCUMENT, _ORG_SHAPES, seconds=60),
)
