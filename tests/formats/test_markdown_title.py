"""The title of a Markdown file; the importer and the server read it in the same way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from partywall.client.document_import import LocalDocument, documents_in
from partywall.features.documents.extraction import extract
from partywall.features.documents.html_text import markdown_of, read_page
from partywall.formats.markdown_title import SEARCHED, described, markdown_title

REAL = "\n# Real title\n"

TITLES = {
    "a heading": ("intro\n\n## The  point ##\n# Later", "The point"),
    "a later heading": ("text\n" * 50 + REAL, "Real title"),
    "a byte order mark": ("\ufeff# Real title", "Real title"),
    "line ends of all kinds": ("intro\r\n\r\n# Real title\r\n", "Real title"),
    "line ends of long ago": ("intro\r\r# Real title\rtext", "Real title"),
    "none": ("text #hashtag\n#5 is alive\n    # code\n#\n# #\n", ""),
    "a sharp": ("# Learning C#", "Learning C#"),
    "a closing and a sharp": ("# Learning F# ###", "Learning F#"),
    "a name of its own": ("# Real title {#real-title}", "Real title"),
    "a comment beside it": ("# Real title <!-- omit in toc -->", "Real title"),
    "an empty heading": ("#\n## <!-- x -->\n### Real title", "Real title"),
    "an underlined one": ("Real title\n==========\n\n# Later", "Real title"),
    "an underlined one of the second level": ("Real title\n---\n\n# Later", "Real title"),
    "an underlined one of two lines": ("Real\ntitle\n===\n", "Real title"),
    "a rule": (f"text\n\n---\n\n- item\n---\n> said\nand more\n---\n{REAL}", "Real title"),
    "a table": (f"| a | b |\n|---|---|\n| 1 | 2 |\n{REAL}", "Real title"),
    "HTML": ('<h1 align="center">Real <em>title</em> &amp; more</h1>\n\n# Later', "Real title & more"),
    "HTML over several lines": ('<p>x</p>\n<h1 class="x">\n  <img src="x.svg">\n  Real title\n</h1>\n', "Real title"),
    "HTML with a picture alone": (f'<h1><img src="logo.svg"></h1>\n{REAL}', "Real title"),
    "code": (f"```sh\n# not a title\n```{REAL}", "Real title"),
    "code between waves": (f"~~~~\n# not a title\n~~~\n```\n~~~~ \n{REAL}", "Real title"),
    "code of a longer fence": (f"````md\n```\n# not a title\n```\n````{REAL}", "Real title"),
    "code in a list": (f"- ```sh\n  # comment\n  # not a title\n  ```\n1. step\n\n   ```\n   # nor this\n   ```{REAL}",
                       "Real title"),
    "code that is indented": (f"text\n\n    # not a title\n{REAL}", "Real title"),
    "code in a line": (f"```not a fence```{REAL}", "Real title"),
    "code without an end": ("```sh\n# not a title\n", ""),
    "a comment": (f"<!--\n# License header\n-->{REAL}", "Real title"),
    "a comment in a line": (f"<!-- x -->{REAL}", "Real title"),
    "a comment with a fence": (f"<!--\n```\n-->{REAL}", "Real title"),
    "a comment without an end": ("<!--\n# License header\n", ""),
    "a script": (f"<style>\n# not {{}}\n</style>\n<SCRIPT>\n# not a title\n</script>{REAL}", "Real title"),
    "front matter": ("---\n# a comment\nlayout: page\ntitle: Real title  # said\n---\n# Later", "Real title"),
    "front matter, quoted": ("---\ntitle: 'It''s: # real'\n---\n", "It's: # real"),
    "front matter, quoted twice": ('---\n"title": "The \\"real\\" title" # x\n...\n', 'The "real" title'),
    "front matter, folded": ("---\ntitle: >-\n  Real\n  title\nlayout: page\n---\n", "Real title"),
    "front matter of TOML": ('+++\n# a comment\ntitle = "Real title"\n[params]\ntitle = "not"\n+++\n', "Real title"),
    "front matter without a title": (f"---\n# a comment\nnested:\n  title: not this\n---{REAL}", "Real title"),
    "front matter with an empty one": (f"---\ntitle:\nlayout: page\n---{REAL}", "Real title"),
    "front matter without an end": (f"---\ntitle: x\n{REAL}", "Real title"),
    "rules that are none": (f"---\n\nsome text\n\n---{REAL}", "Real title"),
    "front matter with a blank one": (f'---\ntitle: "  "\n---{REAL}', "Real title"),
    "front matter with none": (f"---\ntitle: null # x\n---{REAL}", "Real title"),
    "front matter with none, short": (f"---\ntitle: ~\n---{REAL}", "Real title"),
    "front matter over two lines": ("---\ntitle: Real\n  title # said\nlayout: page\n---\n", "Real title"),
    "front matter, quoted over two lines": ('---\ntitle: "Real\n  title"\nlayout: page\n---\n', "Real title"),
    "front matter with escapes": (r"""---
title: "caf\u00e9 \xe9\t\U0001F600 \ud83d\ude00\\"
---""", "caf\u00e9 \xe9 \U0001f600 \U0001f600\\"),
    "front matter with half a character": ('---\ntitle: "a\\ud83d \\UFFFFFFFF"\n---', r"a\ud83d \UFFFFFFFF"),
    "front matter below a blank line": ("\n---\ntitle: Real title\n---\n# Later", "Real title"),
    "a heading between rules": ("---\n\n# Real title\n\n---\ntext", "Real title"),
    "a heading inside": ('<div align="center"><a href="x"><h1>Real title</h1></a></div>', "Real title"),
    "a link": ("# The [Real](https://x.example) [**title**](y)", "The Real title"),
    "a picture in a link": (f"# [![Build](a.svg)](https://x.example)\n{REAL}", "Real title"),
    "emphasis and code": ("**Real** `title`\n===", "Real title"),
    "code with brackets": ("# a[0] and f(x) of 2 ** 3", "a[0] and f(x) of 2 ** 3"),
    "nothing visible": (f"# \u200b\u200e\n{REAL}", "Real title"),
    "control characters": ("# Real\x1b title\u202e\u200b", "Real title"),
    "a language": ("# C#", "C#"),
    "line ends of long ago, underlined": ("\r\rReal title\r====\rx", "Real title"),
    "a comment of MDX": ("# Real title {/* x */}", "Real title"),
    "imports of MDX": (f"---\nid: a\n---\nimport A from 'a';\nexport const b = '# c'\n{REAL}", "Real title"),
    "a link to a label": ("# The [real title][x]\n\n[x]: http://x.example", "The real title"),
    "an entity": ("# Real &amp; title", "Real & title"),
    "names with underscores": ("# real_title *of* __it__", "real_title of it"),
    "code in a link": ("# [**`Real`**](y) title", "Real title"),
    "tags": ("# Real<br>title <kbd>x</kbd>", "Real title x"),
    "a quotation and a list": (f"> # not a title\n\n- # nor this\n\n!!! note\n    # nor this\n{REAL}", "Real title"),
    "HTML in a comment": (f"<!-- <h1>not a title</h1> -->{REAL}", "Real title"),
    "a template": (f"# {{{{ page.title }}}}\n{REAL}", "Real title"),
    "front matter of JSON": ('{"title": "Real title", "tags": ["a"]}\n\n# Later', "Real title"),
    "JSON alone": ('{"title": "not"}', ""),
    "front matter that is no YAML": ("---\ntitle: Real: title\nx: [\n---\n# Later", "Real: title"),
    "front matter, a list": (f"---\ntitle: [a, b]\n---{REAL}", "Real title"),
    "front matter, a number": ("---\nTitle: 2024\n---\n# Later", "2024"),
    "front matter of TOML in lines": ('+++\ntitle = \'\'\'Real\ntitle\'\'\'\n+++\n', "Real title"),
    "front matter of TOML that is none": (f"+++\n{'a' + '.a' * 200} = 1\n+++{REAL}", "Real title"),
    "nothing": ("", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", TITLES)
def test_a_markdown_file_declares_its_title(name: str, tmp_path: Path) -> None:
    text, title = TITLES[name]
    assert markdown_title(text) == title
    path = tmp_path / "file.md"
    path.write_bytes(text.encode())
    [local] = documents_in(tmp_path, path)
    assert isinstance(local, LocalDocument)
    read = extract(text.encode(), "text/markdown", "file.md").title
    assert read == (title or "file")
    assert local.title == (read if text else ""), "the server reads an empty file"


def test_front_matter_becomes_metadata() -> None:
    said = {"date": "2026-11-30", "tags": ["one", "two"], "language": "pt-BR"}
    yaml = "---\ndate: 2026-11-30\ntags: [one, two, one, '']\nlang: pt_BR\nother: {a: b}\n---\n"
    toml = '+++\ndate = 2026-11-30\ntags = ["one", "two"]\nlanguage = "pt-BR"\n+++\n'
    listed = "---\r\ndate: 2026-11-30\r\ntags: one, two\r\nlocale: pt-BR\r\n---\r\n"
    for text in (yaml, toml, listed, f"{json.dumps(said)}\n\ntext"):
        assert described(text).metadata == said
    strange = "---\ndate: [1]\ntags: {a: b}\nlanguage: the language of the file\n---\n"
    assert described(strange).metadata == described("text").metadata == {}


@pytest.mark.parametrize("inside", ["- " * 9_000, "[" * 20_000, "a: &a [*a]", "? " * 9_000, "{a: " * 5_000])
def test_front_matter_of_any_depth_ends_no_process(inside: str) -> None:
    """The library for YAML recurses in C."""
    assert described(f"---\ntitle: Real title\nx:\n {inside}\n---\n").title == "Real title"


HOSTILE = ["#", "# ", "<!--", "<!--\n", "```", "```\n", "~~~\n", "- ", "a\n", "<h1>", "<h1>\n", "</h1 ", "---\n",
           "+++\n", "title: |\n", '"\\', "=", "{#", "# {#}", "&amp;", " ", "\r", "<script>\n",
           "# [", "# [](", "# `", "# **a", "[", "<div>", "<div "]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_no_more_is_read_than_the_beginning(text: str) -> None:
    """So a large file costs no more than its beginning."""
    beginning = (text * (SEARCHED // len(text) + 1))[:SEARCHED]
    assert markdown_title(beginning + REAL) == markdown_title(beginning)
    assert len(markdown_title(beginning)) <= 2_000


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("<title>Own</title><h1>First</h1>", "Own"),
        ("<title> </title><h2>First\n one</h2><h1>Second</h1>", "First one"),
        ("<pre># not a title</pre><p># nor this</p><h1>First</h1>", "First"),
        ("<pre># not a title</pre>", ""),
    ],
)
def test_a_page_is_called_by_its_title_or_its_first_heading(page: str, title: str) -> None:
    assert markdown_of(page).title == title
    assert extract(page.encode(), "text/html", None).title == (title or "Untitled")


def test_a_byte_order_mark_is_no_part_of_a_page() -> None:
    page = "\ufeff\ufeff<!doctype html><html><head><title>Own</title></head><body><p>Text".encode()
    found = extract(page, "text/html", None)
    assert (found.title, found.content) == ("Own", "Text")
    assert read_page(page) == b"Own\n\nText"
