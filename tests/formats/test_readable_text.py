"""What people read of a document's content, and which part of the content it stands for."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from partywall.formats.readable_text import readable_text
from tests.properties import given, settings

MARKDOWN = "text/markdown"

READ = {
    "front matter": ("---\ntitle: x\n---\nText", "Text"),
    "front matter between line ends of long ago": ("---\rtitle: x\r---\rText", "Text"),
    "a rule that is none": ("---\n\nText\n\n---\n", "\nText\n\n"),
    "a byte order mark": ("\ufeffText", "Text"),
    "headings": ("# One #\n\nTwo\n===\n\n## C# {#c}", "One\n\nTwo\n\nC# "),
    "emphasis": ("*a* **b** _c_ ***d*** ~~e~~ ==f==", "a b c d e f"),
    "what is no emphasis": ("2 * 3 * 4, a_b_c, **kwargs, *args, a == b", "2 * 3 * 4, a_b_c, **kwargs, *args, a == b"),
    "emphasis over lines": ("> **a\n> b** c", "a\nb c"),
    "a link": ('[a *b*](https://x.example/a_(b) "t") c', "a b c"),
    "links to labels": ("[a][x] [x] [b][] [y]\n\n[x]: <http://x> 't'\n[b]: y\n", "a x b [y]\n\n"),
    "links to names of code": ("[`List`][typing.List] [`a.b`][] rows[0][key] [1][2]", "List a.b rows[0][key] [1][2]"),
    "brackets": ("[ ] [x] a[0] [] [a](b c) (d)", "[ ] [x] a[0] [] [a](b c) (d)"),
    "an address": ("<https://x.example/a> <me@x.example>", "https://x.example/a me@x.example"),
    "a picture": ("![A *map*](a.png){ width=30 }", "A map"),
    "a badge": ("[![Build](a.svg)](b) Text", " Text"),
    "a picture in a heading": ("# ![Logo](a.svg) Text", " Text"),
    "code": ("`*a*` `` `b` `` [`c`](d)", "*a*  `b`  c"),
    "fenced code": ("```py title='x'\n# [a](b) *c*\n```\n~~~\n<b>\n~~~\n", "# [a](b) *c*\n<b>\n"),
    "indented code": ("a\n\n    *b* <c>\n", "a\n\n    *b* <c>\n"),
    "code in a quotation": ("> ```\n> a > b\n> ```\n", "a > b\n"),
    "code of one line": ("```a```\n\n# b", "a\n\nb"),
    "escapes": (r"\*a\* C:\b \<c\>", r"*a* C:\b <c>"),
    "entities": ("a &amp; b&nbsp;c &#8364; &nothing; R&D", "a & b\xa0c € &nothing; R&D"),
    "tags": ("a<br>b <kbd>c</kbd> H<sub>2</sub>O List<String> <T a={b => {c}} />d", "a b c H2O List<String> d"),
    "closing tags": ("# Hello <Badge>new</Badge>\n\nBody in</Tag> text", "Hello new \n\nBody in  text"),
    "less than": ("a < b, c <d, 1<2 and 3>2", "a < b, c <d, 1<2 and 3>2"),
    "HTML": ("<div class='a'>\n<td>b</td><td>c</td>\n</div>\n\n<!-- d\n\n*e* -->\nf", "b c \n\nf"),
    "scripts": ("<script>\na < b\n</script>\n\nText <style>c {}</style>d", "\nText d"),
    "lists": ("- a\n  1. *b*\n- [ ] c", "- a\n  1. b\n- [ ] c"),
    "a table": ("| a | *b* |\n|---|:-:|\n| 1 \\| 2 |  |\n", "a | b\n1 | 2 | \n"),
    "a table without edges": ("a|b\n-|-\n1|2", "a | b\n1 | 2"),
    "no table": ("a | b\nc || d", "a | b\nc || d"),
    "a rule": ("a\n\n***\n\nb", "a\n\n\nb"),
    "quotations": ("> a\n>> b\n- > c\n", "a\nb\n- c\n"),
    "alerts": ("> [!NOTE]\n> a", "NOTE\na"),
    "footnotes": ("a[^1] b\n\n[^1]: *c* d\n", "a b\n\n c d\n"),
    "Hugo": ("a {{< ref b >}}c {{% d %}} ${{ e }}", "a c  ${{ e }}"),
    "Jinja": ("{% raw %}\n{{ a }} b {# c #}\n{% endraw %}", " b \n"),
    "templates that do not end": ("a {{ b {% c {d} {", "a {{ b {% c {d} {"),
    "MDX": ("import A from '@a/b';\n\nexport const c = 1\n\n<A b='c'>d</A> {/* e */}\n", "\n\nd \n"),
    "text that begins like MDX": ("import duties from 'Y' exist.", "import duties from 'Y' exist."),
    "boxes of Docusaurus": (":::note[A *b*]\n\nc\n\n:::\n::: details\nd\n:::", "A b\n\nc\n\nd\n"),
    "boxes of MkDocs": (
        '!!! note "It\'s"\n    *a*\n\n    ```\n    *b*\n    ```\n\n=== "T"\n\n    c',
        "It's\n    a\n\n    *b*\n\nT\n\n    c",
    ),
    "MyST": ("(a-b)=\n# C\n\n{ref}`d <e>` {.f}\n\n```{note}\n*g*\n```\n", "C\n\nd \n\ng\n"),
    "icons": (":material-check: a :b: 10:30:40", " a :b: 10:30:40"),
    "pages": ("# A\n\f\n| a | b |\n| --- | --- |\n\f\n# B\n", "A\n\f\na | b\n\f\nB\n"),
    "other line ends": ("# A\r\n\r\n*b*\r\n", "A\r\n\r\nb\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_markdown_is_read_without_its_marks(name: str) -> None:
    content, text = READ[name]
    assert readable_text(content, MARKDOWN).text == text


def test_plain_text_stays_as_it_is() -> None:
    content = "---\ntitle: x\n---\n# *One* `a`\n\n[b](c) <d> | e |\n"
    for media_type in ("text/plain", "text/csv", "application/yaml"):
        assert readable_text(content, media_type).text == content
    assert [heading.text for heading in readable_text(content, "text/plain").headings] == ["title: x", "*One* `a`"]
    assert readable_text(content, "application/yaml").headings == ()


def test_of_other_files_only_the_marks_of_readers_are_left_out() -> None:
    content = (
        "## Sheet *1*\n\n**Notes**\n\n| a_b_ | <c> |\n| --- | --- |\n| 1 \\| 2 | [d](e) |\n\f\n\\# f\n\n<div>\n# G\n"
    )
    found = readable_text(content, "application/vnd.ms-excel")
    assert found.text == "Sheet *1*\n\nNotes\n\na_b_ | <c>\n1 | 2 | [d](e)\n\f\n# f\n\n<div>\nG\n"
    assert [(heading.start, heading.text) for heading in found.headings] == [
        (0, "Sheet *1*"),
        (found.text.index("G"), "G"),
    ]


def test_a_part_of_the_text_stands_for_a_part_of_the_content() -> None:
    content = "---\na: b\n---\n# One [two](x) **three**\n\n> &amp; four\n\n[x]: y\n\n- *five*\n"
    found = readable_text(content, MARKDOWN)
    parts = {
        "One two three": "# One [two](x) **three**", "two": "[two](x)", "wo": "wo](x)", "tw": "[tw",
        "& four": "> &amp; four", "three\n\n& four": "**three**\n\n> &amp; four", "five": "*five*",
    }  # fmt: skip
    for text, source in parts.items():
        at = found.text.index(text)
        start, end = found.span(at, at + len(text))
        assert content[start:end] == source


PIECES = ["a ", "b", "\n", "\n\n", "# ", "> ", "- ", "*", "**", "_", "`", "```\n", "[", "](x)", "![", "]", "<b>",
          "</div>", "<!--", "-->", "&amp;", "\\", "| ", "|-|-|\n", "{{ ", "}}", ":::", "!!! a\n    ", "---\n", "===\n",
          "\r", "\f", "    ", "[x]: y\n", "é漢", "[^1]", "<script>", "\t"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
@settings(max_examples=400, deadline=None)
def test_every_word_is_kept_in_its_order_and_place(content: str) -> None:
    for media_type in (MARKDOWN, "application/pdf"):
        found = readable_text(content, media_type)
        at = 0
        for begin, character in enumerate(found.text):
            start, end = found.span(begin, begin + 1)
            assert at <= end
            assert start < end
            at = start
            assert character in content[start:end] or "&" in content[start:end] or character in " |"
        assert all(0 <= heading.start < len(found.text) for heading in found.headings)
