"""What of a page is its text, and how it is written."""

from __future__ import annotations

from typing import Final

import pytest
from markdown_it import MarkdownIt

from partywall.features.documents.html_text import markdown_of

PROSE: Final = "It was a bright cold day in April, and the clocks were striking thirteen. " * 5
LINKS: Final = "<ul><li><a href=/>Home</a><li><a href=/b>Products</a><li><a href=/c>Jobs</a></ul>"

WRITTEN: Final = {
    "text": ("plain", "plain"),
    "paragraphs": ("<p>one<p>two<div>three</div>four", "one\n\ntwo\n\nthree\n\nfour"),
    "marks in a line": ("<p>a <b>b</b>\n  <code>c</code> <a href=x>d</a>", "a b c d"),
    "line breaks": ("a<br>b<br/>c<br> <br>d<pre>e<br><br>f", "a\nb\nc\n\nd\n\n```\ne\n\nf\n```"),
    "headings": ("<h1>A<br>B</h1><h6> c </h6><h2></h2>x", "# A B\n\n###### c\n\nx"),
    "a heading in a button": ("<h2><button>Q?</button></h2><p>A<button><h3>R?</h3>v</button>", "## Q?\n\nA\n\n### R?"),
    "a heading in a summary": ("<details><summary>See <h2>S</h2></summary>x</details>", "See\n\n## S\n\nx"),
    "a heading that is never closed": ("<h1>One<p>two<p>three", "# One\n\ntwo\n\nthree"),
    "a heading of a picture": ('<h1><img alt="Acme"></h1><p>Text<h1><img></h1><p>More', "# Acme\n\nText\n\nMore"),
    "a heading by its role": ("<div role=heading aria-level=3>A</div>b", "### A\n\nb"),
    "lists": ("<ul><li>a<ul><li>b</ul><li><p>c</p><p>d</p></ul><p>e", "- a\n  - b\n- c\n\n  d\n\ne"),
    "numbers": ("<ol start=3><li>c<li>d<li value=9>e<li>f</ol>", "3. c\n4. d\n9. e\n10. f"),
    "a heading in a list": ("<ul><li><h2>H</h2>text<li>b</ul>", "## H\n\ntext\n\n- b"),
    "definitions": ("<dl><dt>a<dd>b</dl>", "a\n\nb"),
    "code": ('<pre class="language-py">  x\n\n  # y\n</pre>', "```py\n  x\n\n  # y\n```"),
    "a line of code": ("<pre>x = 1</pre>", "x = 1"),
    "hidden lines of code": ("<pre>a\n<span class=boring>b\n</span>c</pre>", "```\na\nc\n```"),
    "a comment in code": ("<pre># x</pre>", "```\n# x\n```"),
    "a fence in code": ("<pre>a\n```\nb</pre>", "````\na\n```\nb\n````"),
    "code below an item": ("<ul><li>x<pre>a\nb</pre></ul>", "- x\n\n  ```\n  a\n  b\n  ```"),
    "code in a list": ("<ul><li><pre>a\nb</pre><li>c</ul>", "```\na\nb\n```\n\n- c"),
    "a table": ("<table><caption>C</caption><tr><th>a<th>b|c<tr><td>1<td>2</table>",
                "C\n\n| a | b\\|c |\n| --- | --- |\n| 1 | 2 |"),
    "cells over several": ("<table><tr><td rowspan=2>a<td>b<td>c<tr><td>d<tr><td colspan=2>e<td>f</table>",
                           "| a | b | c |\n| --- | --- | --- |\n|  | d |\n| e |  | f |"),
    "a head over all columns": ("<table><tr><th colspan=2>a<tr><td>b<td>c</table>",
                                "| a |  |\n| --- | --- |\n| b | c |"),
    "a list in a cell": ("<table><tr><th>a<td><ul><li>b<li>c</ul></table>", "a | b c"),
    "a table for layout": ("<table><tr><td><h1>a</h1><p>b<td>c<td></table>", "# a\n\nb\n\nc"),
    "a table in a table": ("<table><tr><td><table><tr><td>a<td>b</table><td>c</table>", "a | b\n\nc"),
    "no table": ("<table role=presentation><tr><td>a<td>b</table>", "a\n\nb"),
    "what looks like marks": ("<p># a<br>| --- | --- |<br>b<br>===<p>```", "\\# a\n\\| --- | --- |\nb\n\\===\n\n\\```"),
    "signs": ("*a* _b_ `c` [d](e) &lt;f> &amp;lt; 2 * 3", "*a* _b_ `c` [d](e) <f> &lt; 2 * 3"),
    "lines of signs": ("a<p>* * *<p>- - -<p>b", "a\n\nb"),
    "characters": ("Zażółć 🦊 &euro; a&nbsp;b sy&shy;l\ue123&#8203;lable &#0;", "Zażółć 🦊 € a b syllable \ufffd"),
    "scripts": ("<head><meta charset=x><script>a</script></head><style>b</style><template>c</template><!-- d -->", ""),
    "no text": ("x<noscript>a</noscript><svg><title>b</title></svg><textarea>c</textarea><select><option>d", "x"),
    "broken": ("<<<>>><p", "<<<>>>"),
}  # fmt: skip

TEXTS: Final = {
    "the main part": (f"<header>Acme</header><nav>{LINKS}</nav><main><h1>T</h1>Text</main><footer>Us</footer>",
                      "# T\n\nText"),
    "the main part by its role": (f"<div>{LINKS}</div><div role=main>{PROSE}</div><div>More</div>", PROSE.strip()),
    "an article": (f"<div><p>Others</p></div><article><h1>T</h1>{PROSE}</article>", f"# T\n\n{PROSE.strip()}"),
    "a main part that is not all": (f"<p>{PROSE}</p><main>a</main>", f"{PROSE.strip()}\n\na"),
    "the heading above the main part": ("<header><h1>T</h1></header><main><p>Text</main>", "# T\n\nText"),
    "a header with menus": ("<header>Acme<nav><h2>Menu</h2>a</nav></header>b", "b"),
    "a chapter": ("<header><h2>One</h2></header><p>a<aside epub:type=footnote>b</aside>", "## One\n\na\n\nb"),
    "a header of an article": (f"<article><header>By me</header>{PROSE}<footer>End</footer></article>",
                               f"By me\n\n{PROSE.strip()}\n\nEnd"),
    "names": (f"<div class=sphinxsidebar>{LINKS}</div><p>a<div id=breadcrumbs>Up</div><p class=toc><a href=x>b", "a"),
    "a name that does not fit": (f"<div class=menu>{PROSE}</div><p>Soups", f"{PROSE.strip()}\n\nSoups"),
    "a section with such a name": ("<section id=cookies><h2>Cookies</h2>a</section>b", "## Cookies\n\na\n\nb"),
    "links around the text": (f"{LINKS}<h1>T</h1><p>{PROSE}</p>{LINKS}<p>© Acme", f"# T\n\n{PROSE.strip()}"),
    "links with a heading": (f"{PROSE}<h2>See also</h2><p><a href=x>a</a>", f"{PROSE.strip()}\n\n## See also\n\na"),
    "contents": (f"<div class=toc>{LINKS}</div>{PROSE}", PROSE.strip()),
    "contents without links": (f"<p class=toc>Intro 5</p>{PROSE}", f"Intro 5\n\n{PROSE.strip()}"),
    "contents of a book": (f"<h1>B</h1><div class=toc>{LINKS}</div>", "# B\n\n- Home\n- Products\n- Jobs"),
    "consent": ('<div class="x cookie-banner">We use <button>OK</button></div><div id=CookieConsent>So</div>a', "a"),
    "a dialog": ("<div role=dialog>Subscribe</div><dialog open>Log in</dialog>a", "a"),
    "hidden": ('<p hidden>a<p style="color:red; DISPLAY : none">b<p aria-hidden=true>c<p>d', "d"),
    "hidden until it is found": ("<p hidden=until-found>a", "a"),
    "hidden in a line": ("<p>a <i aria-hidden=true>b</i><span class=sr-only>c</span>", "a"),
    "links to themselves": ('<h2>T<a class=headerlink href=#t>Link</a><a href="#t">¶</a></h2>', "## T"),
    "service": ("a<p><a href=x>Edit this page</a><p><a href=y>Edit</a> it", "a\n\nEdit it"),
    "a button": ("<pre>x<button>Copy</button></pre>", "x"),
    "only navigation": (f"<nav>{LINKS}</nav><button>Go</button>", "- Home\n- Products\n- Jobs\n\nGo"),
    "only hidden text": ('<body style="display:none"><p>a', "a"),
    "links alone": (f"{LINKS}<p>a", "- Home\n- Products\n- Jobs\n\na"),
    "a list of links": (f"<h1>Index</h1>{LINKS}", "# Index\n\n- Home\n- Products\n- Jobs"),
}  # fmt: skip

XHTML: Final = '<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml">'
REPAIRED: Final = {
    "byte order marks": "\ufeff\ufeff<title>T</title><p>a</p><p>b",
    "an empty title and script": f'{XHTML}<head><title/><script src="x"/></head><h1>T</h1><p>a</p><p>b',
    "an empty script in HTML": '<title>T</title><script type="a/b" src=x /><SCRIPT/><p>a</p><p>b',
    "an empty link": f'{XHTML}<title>T</title><a id="x"/><p>a</p><br/><div/><p>b</p>',
    "character data": f"{XHTML}<title>T</title><style><![CDATA[x]]></style><p><![CDATA[a]]></p><p>b</p><![CDATA[",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_html_is_written_as_markdown(name: str) -> None:
    html, text = WRITTEN[name]
    assert markdown_of(html).text == text


@pytest.mark.parametrize("name", TEXTS)
def test_only_the_text_of_a_page_is_read(name: str) -> None:
    html, text = TEXTS[name]
    assert markdown_of(html).text == text


@pytest.mark.parametrize("name", REPAIRED)
def test_the_syntax_of_xhtml_swallows_nothing(name: str) -> None:
    page = markdown_of(REPAIRED[name])
    assert (page.title, page.text.removeprefix("# T\n\n")) == ("T", "a\n\nb")


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ("<title>Own</title><h1>First</h1>", "Own"),
        ("<title>Options &mdash; Click Documentation (8.1.x)</title><h1>Options<a href=#o>¶</a></h1>", "Options"),
        (
            "<title>Contributing - MkDocs</title><h2>MkDocs</h2><h1>Contributing to MkDocs</h1>",
            "Contributing to MkDocs",
        ),
        (
            "<title>Eigen: The Matrix class</title><p>The Matrix class<h1>The parameters of Eigen</h1>",
            "The Matrix class",
        ),
        ("<title>MutableInt (Lang 3.12 API)</title><h1>Class MutableInt</h1><h2>MutableInt</h2>", "Class MutableInt"),
        ("<title>A Light | Books</title><meta property=og:title content='A Light'><p>x", "A Light"),
        ("<title>Search &mdash; attrs 22.2 documentation</title><p>x", "Search"),
        ("<title>A Light | Books</title><nav><h1>Books</h1></nav><p>x", "A Light"),
        ("<title>A Light | Books</title><h1>Books</h1><h2>!</h2>", "A Light"),
        ("<title>IANA \u2014 IANA-managed Domains</title><h1>IANA-managed Domains</h1>", "IANA-managed Domains"),
        ("<title>Books</title><meta property=og:site_name content=Books><h1>A Light</h1>", "A Light"),
        ("<title>untitled.html</title><h1>A Light</h1>", "A Light"),
        ("<meta property=og:title content='A Light'><p>x", "A Light"),
        ("<title>T</title><h1><img></h1><p>Text", "T"),
        ("<p>x<p><title>In the body</title>", "In the body"),
        ("<h1> </h1><h2>First\n one</h2><h1>Second</h1>", "First one"),
        ("<p>x", ""),
    ],
)
def test_a_page_has_a_title(html: str, title: str) -> None:
    assert markdown_of(html).title == title


@pytest.mark.parametrize(
    ("html", "language"),
    [
        ("<html lang=pt_BR>", "pt-BR"),
        ('<html xml:lang="de">', "de"),
        ("<meta http-equiv=Content-Language content=fr>", "fr"),
        ("<html lang='{{ lang }}'>", ""),
    ],
)
def test_a_page_says_its_language(html: str, language: str) -> None:
    assert markdown_of(html).language == language


def test_a_markdown_reader_finds_the_same_headings() -> None:
    html = "".join(f"<{tag}># one\n## two\nthree\n===\n```\n~~~\n# four</{tag}>" for tag in ("pre", "p", "li", "td"))
    assert [each.type for each in MarkdownIt().parse(markdown_of(html).text) if each.type.startswith("heading")] == []


@pytest.mark.parametrize(
    "part", ["<div>", "<b>", "<ul><li>a", "<nav>a", "<table><tr><td>a", "<ol><li><h1>a", "<code>", "<button><h3>a"]
)
def test_depth_is_no_attack(part: str) -> None:
    assert markdown_of(part * 3_000 + "deep").text.endswith("deep")


def test_what_cells_span_costs_nothing() -> None:
    rows = "<table><tr>" + "<td rowspan=65534>a" * 2_000 + "<tr><td colspan=1000>b" * 2_000
    assert len(markdown_of(rows).text) < 20 * len(rows)
