"""reStructuredText is read as a person reads it."""

from __future__ import annotations

import pytest

from partywall.features.search.chunker import chunk_text
from tests.features.documents.read_files import read


def text_of(source: str) -> str:
    return read("a.rst", source.encode()).text


def test_title_metadata_and_sections() -> None:
    source = (
        ":orphan:\n\n=====\n *G*\n=====\n:Author: Ann\n:Date: $Date: 2024-05-01 $\n:Tags: a, b\n:Language: de\n"
        ":Version: 7\n\nBegin.\n\nOne\n===\n\n:field: stays\n\n"
        f"Two\n---\n\n{'Text. ' * 200}\n\nThree\n=====\n\n{'More. ' * 200}\n"
    )
    found = read("a.rst", source.encode())
    assert (found.title, found.language) == ("G", "de")
    assert found.metadata == {"author": "Ann", "date": "2024-05-01", "tags": ["a", "b"], "language": "de"}
    lines = [line for line in found.text.split("\n") if line and "Text." not in line and "More." not in line]
    assert lines == ["# G", "Version: 7", "Begin.", "## One", "field: stays", "### Two", "## Three"]
    sections = [chunk.section for chunk in chunk_text(found.text, "text/x-rst")]
    assert sections == ["G", "Two", "Three"]
    assert not any("#" in chunk.text for chunk in chunk_text(found.text, "text/x-rst"))


@pytest.mark.parametrize(("more", "metadata"), [("", {"author": "Ann"}), ("\n\nTwo\n---\n", {})])
def test_fields_below_a_subtitle_are_metadata(more: str, metadata: dict[str, str]) -> None:
    source = f"Title\n=====\n\nOne\n---\n\n:Author: Ann\n\nText\n{more}"
    assert read("a.rst", source.encode()).metadata == metadata


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("*a* **b** ``*c*`` `d` \\*e\\* x\\ *y*", "a b *c* d *e* xy"),
        (":ref:`text <target>` :func:`~a.b.c` :func:`!d` :doc:`/e` :pep:`8` `f`:sub:", "text c d /e PEP 8 f"),
        ("`Link\n<https://a.example>`_ `two`__ three_ `<https://b.example>`_", "Link two three https://b.example"),
        ("`\\<a>`_ `b \\<c>`_ :ref:`\\<d>` `e <f>`_", "<a> b <c> <d> e"),
        ("See [1]_, [Knuth]_, [#f]_ and [#]_. _`Place`", "See [1], [Knuth], [f] and . Place"),
        (":guilabel:`&File` :menuselection:`A && &B --> C & D`", "File A & B --> C & D"),
        ("|name| and |other|\n\n.. |name| replace:: *Ann*\n.. |i| image:: i.png", "Ann and other"),
        ("|a| |b|\n\n.. |a| replace:: one\n   *two\n   three*\n.. |b| replace::\n   four\n", "one two three four"),
        ("|c|\n\n.. |c| unicode:: U+00A9 Ann .. sign", "\u00a9Ann"),
        ("a * b, 2*x*y, __init__, a_b, c_d_, '*', **kwargs", "a * b, 2*x*y, __init__, a_b, c_d, '*', **kwargs"),
        ("__ https://a.example\n.. _a: https://b.example\n.. comment\n   more\n\nSeen", "Seen"),
        ("# not a heading", "\\# not a heading"),
        ("A. Einstein was\na person.", "A. Einstein was\na person."),
    ],
)
def test_marks_inside_a_paragraph(source: str, seen: str) -> None:
    assert text_of(source) == seen


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("- a\n  b\n\n  - c\n\n1. d\n#. e", "- a b\n  - c\n1. d\n2. e"),
        ("term\n   meaning\n\n   more", "term\n\nmeaning\n\nmore"),
        ("| one\n| two\n|   three", "one\ntwo\nthree"),
        ("Code::\n\n   x = '*a*'\n     y", "Code:\n\n```\nx = '*a*'\n  y\n```"),
        ("End ::\n\n> a_\n> b\n\nText", "End\n\n```\n> a_\n> b\n```\n\nText"),
        (">>> f(*a, *b)\n1\n\nText", "```\n>>> f(*a, *b)\n1\n```\n\nText"),
        (":param x: what\n   it is\n:returns:\n   nothing", "param x: what\nit is\n\nreturns:\n\nnothing"),
        ("a\n\n----\n\nb", "a\n\nb"),
        (".. [1] A *note*.\n.. [#x] Other.\n.. [#] Last.", "[1] A note.\n\n[x] Other.\n\nLast."),
    ],
)  # fmt: skip
def test_blocks(source: str, seen: str) -> None:
    assert text_of(source) == seen


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        (".. note:: Take *care*\n   here.\n\n   Or not.", "Take care\nhere.\n\nOr not."),
        (".. admonition:: Title\n   :class: x\n\n   Text", "Title\n\nText"),
        (".. code-block:: python\n   :linenos:\n\n   f(*a)\n   g()", "```python\nf(*a)\ng()\n```"),
        (".. parsed-literal::\n\n   f(*a*)\n     **b**", "```\nf(a)\n  b\n```"),
        (".. image:: a.png\n   :alt: A cat\n   :width: 3", "A cat"),
        (".. figure:: a.png\n   :alt: A cat\n\n   The caption", "A cat\n\nThe caption"),
        (".. toctree::\n   :maxdepth: 2\n\n   a\n   b\n\nText", "Text"),
        ("Text\n\n.. include:: /etc/passwd\n.. raw:: html\n\n   <b>x</b>", "Text"),
        (".. versionadded:: 1.2\n   The *option*.", "Added in version 1.2\nThe option."),
        (".. py:function:: f(*args)\n   :module: m\n\n   Does *it*.", "f(*args)\n\nDoes it."),
        (".. unheard-of:: what\n\n   Text", "what\n\nText"),
        (".. rst:role:: name\n\n   Text", "name\n\nText"),
        (".. role:: name\n\n   Hidden\n\nText", "Text"),
        (".. py:module:: a\n   :synopsis: b\n\n   Text\n\n.. py:currentmodule:: c", "Text"),
        (".. module:: a\n\n   Text", "Text"),
        (".. py:class:: A(*b, *c)\n\n   Text", "A(*b, *c)\n\nText"),
        (".. legacy:: The :func:`a` is **old**\n      and *gone*\n\n   Text", "The a is old\nand gone\n\nText"),
        (".. unheard-of:: what\n      :tags: a,\n        b\n\n   Text", "what\n\nText"),
    ],
)
def test_directives(source: str, seen: str) -> None:
    assert text_of(source) == seen


TABLE = "| A | B |\n| --- | --- |\n| 1 | x y |\n| 2 |"


@pytest.mark.parametrize(
    "source",
    [
        "+---+-----+\n| A | B   |\n+===+=====+\n| 1 | *x* |\n|   | y   |\n+---+-----+\n| 2 |     |\n+---+-----+",
        "=== =====\nA   B\n=== =====\n1   *x*\n    y\n2\n=== =====\n",
        ".. csv-table::\n   :header: A, B\n\n   1, x y\n   2",
        ".. list-table::\n   :header-rows: 1\n\n   * - A\n     - B\n   * - 1\n     - *x*\n       y\n   * - 2\n     -",
    ],
)
def test_tables_are_rows(source: str) -> None:
    assert text_of(source) == TABLE


def test_nothing_outside_of_the_file_is_read() -> None:
    source = ".. csv-table:: T\n   :file: /etc/passwd\n\n.. literalinclude:: /etc/passwd\n\n.. include:: /etc/passwd"
    assert text_of(source) == "T"


@pytest.mark.parametrize(
    "source",
    [
        "".join("  " * depth + "- a\n\n" for depth in range(2_000)),
        "".join(" " * depth + ".. note::\n\n" for depth in range(1, 2_000)) + " " * 2_001 + "a",
        "- " * 50_000 + "a",
        "a::\n\n" * 1_000 + "=== ===\n" * 1_000,
        "+-+\n|a\n" * 1_000,
        "``a " * 1_000 + ":a:`b" * 1_000 + "|c" * 1_000,
        '.. csv-table::\n   :delim: "\n\n   \'a"\n',
        ".. list-table::\n\n   text\n   * a\n     - b",
    ],
)
def test_deep_and_unclosed_markup_is_read(source: str) -> None:
    assert "a" in text_of(source)
