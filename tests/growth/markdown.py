"""Readers of Markdown, and of the front matter before it."""

from __future__ import annotations

from typing import Final

from partywall.formats.front_matter import LONGEST
from partywall.formats.markdown_title import SEARCHED, markdown_title
from partywall.formats.readable_text import readable_text
from tests.growth.reader import Reader
from tests.growth.shapes import HEADINGS, repeated

# With lines as short as those of these shapes, no more is parsed.
_PARSED_MARKDOWN: Final = 64 * 1024
_MARKDOWN_SHAPES: Final = {
    repr(part): repeated(part)
    for part in (
        "> ", "- ", "[", "[]", "[](", "[]((", "](", "[a](<", "[a](b '", "[a](\\a", "[a][",
        "[^a]", "![", "[![](", "*a ", "**a", "a**b", "*_", "**_* ", "_a ", "`", "\\``", "``a` ", "<", "<a ", '<a "',
        "<a {{", "<!--", "<h1>", "<script>", "<div>\n", "{{", "{%", "{#a", "{a}`b <c>`", "&amp;", "~~ ~~a", "==a",
        " |", "|a|\n|-|\n", "!!! a\n", "!!! a\n    ", ":::a\n", "import ", "(a)=\n",
        "---\n", "\f",
    )
} | {
    "deep lists": lambda n: "".join("  " * (depth % 20) + "- a\n" for depth in range(n // 24)),
    "lazy lines": repeated("a\n", start="> " * 4 + "a\n"),
    "a wide table": lambda n: "|a" * (n // 4) + "\n" + "|-" * (n // 4),
    "brackets": lambda n: "[" * (n // 2) + "]" * (n // 2),
    "emphasis": lambda n: "*a " * (n // 6) + "b* " * (n // 6),
    "pictures": lambda n: "[" * (n // 20) + "![a](b)" * (n // 20) + "](c)" * (n // 20),
    "parentheses": repeated("[a](" + "((a)" * 150),
    "quotes in tags": repeated("<a " + '"x"' * 39),
    "braces in tags": repeated("<a {" + "{b}" * 190),
}  # fmt: skip

MARKDOWN: Final = (
    Reader(
        (
            "formats/readable_text.py:_MAYBE_HEADING",
            "formats/readable_text.py:_LINE_END",
            *(
                "formats/markdown_blocks.py:" + each
                for each in ("_LINE_END", "_DEFINITION", "_QUOTE", "_QUOTES", "_BOX")
            ),
            *(
                "formats/markdown_inline.py:" + each
                for each in (
                    "_BEGIN",
                    "_CODE",
                    "_RUN",
                    "_ENTITY",
                    "_ADDRESS",
                    "_TAG",
                    "_TARGET",
                    "_LABEL",
                    "_NAME",
                    "_NOTE",
                    "_ALERT",
                    "_ATTRIBUTES",
                    "_ICON",
                    "_ROLE_TARGET",
                )
            ),
            *(
                "formats/markdown_marks.py:" + each
                for each in (
                    "_HTML_HEADING",
                    "_TABLE_RULE",
                    "_CELL_EDGE",
                    "_ESCAPE",
                    "_DIRECTIVE",
                    "_STATEMENT",
                    "_ESCAPED_LINE",
                    "_BOLD_LINE",
                    "_TEXT_DIRECTIVE",
                )
            ),
        ),
        lambda text: readable_text(text, "text/markdown"),
        _PARSED_MARKDOWN,
        HEADINGS | _MARKDOWN_SHAPES,
        seconds=2,
    ),
    Reader(
        (),
        lambda text: readable_text(text, "application/pdf"),
        _PARSED_MARKDOWN,
        HEADINGS | {"rows": repeated("|a|\n|-|\n"), "bars": repeated(" |"), "bold": repeated("**a")},
        seconds=2,
    ),
    Reader(
        (
            *(
                "formats/front_matter.py:" + each
                for each in (
                    "_BEGIN",
                    "_ENDS",
                    "_LINE_ENDS",
                    "_BLANK",
                    "_LINE_END",
                    "_KEY",
                    "_PAIR",
                    "_SAID",
                    "_LANGUAGE",
                    "_yaml",
                )
            ),
        ),
        markdown_title,
        LONGEST,  # what is longer is no front matter
        {
            **{
                f"{name}, {mark}": repeated(part, f"\n{mark}\n", start=f"{mark}\n{start}")
                for mark in ("---", "+++")
                for name, part, start in (
                    ("keys", "title: |\n a\n", ""),
                    ("lists", "[", "a: "),
                    ("lists in lists", "- ", "a:\n "),
                    ("mappings", "{a: ", "a: "),
                    ("questions", "? ", "a: b\n"),
                    ("parts of a key", ".a", "a"),
                    ("tables", "[a]\n", ""),
                    ("escapes", "\\ud83d", 'title: "'),
                    ("anchors", "&a ", "a: "),
                )
            },
            "JSON": repeated('{"a":'),
        },
        seconds=1,
    ),
    Reader(
        ("formats/one_line.py:_CONTROL", "formats/one_line.py:_WITHOUT_WIDTH"),
        markdown_title,
        SEARCHED,
        HEADINGS
        | {
            "comments": repeated("<!--", start="# "),
            "tags": repeated("<a ", start="<h1>"),
            "links": repeated("[a](", start="# "),
        },
        seconds=1,
    ),
)
