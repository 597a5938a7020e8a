"""Reads a folder of documentation as an upload and the indexing do, and judges titles and passages.

For Markdown the judge is another parser: GitHub's, `cmarkgfm`, to be installed beside the dependencies for this alone.
A title is right if it is the one in the front matter, or else the first heading as rendered. Markup is what stands in
the passages more often than in the rendered page, word by word and sign by sign; marks of lists are none.

For reStructuredText and Org the judge is Pandoc (`pypandoc-binary`, to be installed in the same way). A title is right
if it is the file's own, or else its first heading.

For HTML the judge compares the pages of the folder with one another. A title is right if it is the page's `<title>`
without the beginning and end that most of the titles share, or a heading with the first part of that. Lines that stand
on more than half of the pages are navigation, and count as markup. Run it with `python -m bench.documentation FOLDER`.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from subprocess import PIPE, run
from typing import Final

from selectolax.lexbor import LexborHTMLParser

from partywall.features.documents.extraction import extract
from partywall.features.documents.readers.plain_text import read_text
from partywall.features.search.chunker import chunk_text
from partywall.formats.file_kinds import media_type_by_name

_MARKDOWN: Final = "text/markdown"
_HTML: Final = "text/html"
_MARKUPS: Final = {"text/x-rst": "rst", "text/x-org": "org"}
_FEWEST: Final = 4  # pages that can be compared
_FRONT_MATTER: Final = re.compile(
    r"\A\ufeff?\s*(?P<mark>---|\+\+\+)\n(?P<data>.*?)^(?P=mark)\s*$", re.DOTALL | re.MULTILINE
)
_TITLE: Final = re.compile(r"^title\s*[:=]\s*(?P<said>[\"']?)(?P<title>.+?)(?P=said)\s*$", re.MULTILINE)
# Signs of programs that build sites; GitHub's renderer leaves them in the text.
_SIGNS: Final = re.compile(
    r"\{\{.{0,500}?\}\}|\{%.{0,500}?%\}|\{/\*.{0,500}?\*/\}|\{[#:.][^{}\n]*\}|:::+\s*\w*|^(?:!!!|\?\?\?\+?)[^\"\n]*|^===\s"
    r"|^(?:import|export)\s.*[\"'].*$|:[a-z]+-[a-z0-9-]+:|\[\^[^\]\s]+\]:?",
    re.MULTILINE,
)
_LIST_MARK: Final = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+", re.MULTILINE)
_UNSEEN: Final = "script, style, template"
_TOKEN: Final = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Judgement:
    """`markup` counts characters of the passages that no reader sees, of `characters` in all but white space."""

    name: str
    title: str
    wanted: str
    characters: int
    markup: int
    examples: list[str]

    @property
    def is_titled(self) -> bool:
        return not self.wanted or _folded(self.title) == _folded(self.wanted)

    @property
    def share(self) -> float:
        return self.markup / max(1, self.characters)


def _folded(text: str) -> str:
    return "".join(each for each in text if each.isalnum()).casefold()


def _judge_markdown(name: str, data: bytes) -> Judgement:
    content = data.decode("utf-8-sig")
    found = _FRONT_MATTER.match(content)
    said = _TITLE.search(found["data"]) if found else None
    page = LexborHTMLParser(_rendered(content[found.end() :] if found else content))
    wanted = said["title"] if said else _first_heading(page)
    read = extract(data, _MARKDOWN, name)
    passages = [chunk.text for chunk in chunk_text(read.content, _MARKDOWN)]
    return _judged(name, read.title, wanted, page, passages)


def _rendered(content: str) -> str:
    cmark = import_module("cmarkgfm")
    options = import_module("cmarkgfm.cmark").Options
    return str(cmark.github_flavored_markdown_to_html(content, options=options.CMARK_OPT_UNSAFE))


def _judge_markup(name: str, data: bytes, media_type: str) -> Judgement:
    page = LexborHTMLParser(_by_pandoc(data.decode(errors="replace"), _MARKUPS[media_type]))
    title = page.css_first("h1.title")
    wanted = " ".join(title.text().split()) if title is not None else _first_heading(page)
    read = read_text(data, media_type)
    passages = [chunk.text for chunk in chunk_text(read.text, media_type)]
    return _judged(name, read.title, wanted, page, passages)


def _by_pandoc(content: str, format_: str) -> str:
    pandoc = str(import_module("pypandoc").get_pandoc_path())
    options = ["--sandbox", "--standalone", "--quiet", "--metadata=pagetitle:-", "--mathjax", "--wrap=preserve"]
    made = run([pandoc, f"--from={format_}", "--to=html", *options], input=content, stdout=PIPE, text=True, check=True)
    return made.stdout


def _first_heading(page: LexborHTMLParser) -> str:
    headings = (node for node in page.css("h1, h2, h3, h4, h5, h6"))
    return next((text for node in headings if (text := " ".join(_SIGNS.sub("", node.text()).split()))), "")


def _judged(
    name: str, title: str, wanted: str, page: LexborHTMLParser, passages: list[str], separator: str = ""
) -> Judgement:
    read = Counter(token for passage in passages for token in _TOKEN.findall(_LIST_MARK.sub("", passage)))
    unseen = read - Counter(token for part in _seen(page, separator) for token in _TOKEN.findall(part))
    markup = sum(len(token) * count for token, count in unseen.items())
    examples = [f"{token} ({count})" for token, count in unseen.most_common(12)]
    return Judgement(name, title, wanted, sum(len(token) * count for token, count in read.items()), markup, examples)


def _seen(page: LexborHTMLParser, separator: str) -> Iterator[str]:
    """What a reader sees: code as it is, other text without the signs of programs, pictures by their descriptions."""
    for node in page.css(_UNSEEN):
        node.decompose()
    yield from (node.attributes.get("alt") or "" for node in page.css("img[alt]"))
    for node in page.css("pre, code"):
        yield node.text()
        node.replace_with("\n")
    yield "" if page.body is None else _SIGNS.sub(" ", page.body.text(separator=separator))


def _judge_html(pages: dict[str, bytes]) -> Iterator[Judgement]:
    trees = {name: LexborHTMLParser(data) for name, data in pages.items()}
    own = _own_titles({name: _declared(tree) for name, tree in trees.items()})
    read = {name: extract(data, _HTML, name) for name, data in pages.items()}
    passages = {name: [each.text for each in chunk_text(one.content, _HTML)] for name, one in read.items()}
    repeated = _repeated(passages)
    for name, tree in trees.items():
        title = read[name].title
        headings = [_folded(node.text()) for node in tree.css("h1, h2")]
        is_heading = _folded(title) in headings and _folded(re.split(r"\W{2,}", own[name])[0]) in _folded(title)
        found = _judged(name, title, title if is_heading else own[name], tree, passages[name], " ")
        lines = [line for passage in passages[name] for line in passage.splitlines() if line.strip() in repeated]
        shown = [f"{line.strip()!r}" for line in lines[:5]]
        markup = found.markup + sum(len("".join(line.split())) for line in lines)
        yield Judgement(name, title, found.wanted, found.characters, markup, [*shown, *found.examples])


def _declared(page: LexborHTMLParser) -> str:
    node = page.css_first("head > title")
    return " ".join(node.text().split()) if node is not None else ""


def _own_titles(declared: dict[str, str]) -> dict[str, str]:
    """Without what most titles begin and end with."""
    starts = Counter(title[:at] for title in set(declared.values()) for at in range(1, len(title)))
    ends = Counter(title[at:] for title in set(declared.values()) for at in range(1, len(title)))
    many = len(set(declared.values())) / 2
    start = max((part for part, count in starts.items() if count > many and part[-1].isspace()), key=len, default="")
    end = max((part for part, count in ends.items() if count > many and part[0].isspace()), key=len, default="")
    return {name: title.removeprefix(start).removesuffix(end).strip() for name, title in declared.items()}


def _repeated(passages: dict[str, list[str]]) -> set[str]:
    """The lines of more than half of the pages."""
    if len(passages) < _FEWEST:
        return set()
    lines = Counter(line for page in passages.values() for line in {x.strip() for y in page for x in y.splitlines()})
    return {line for line, count in lines.items() if line and count * 2 > len(passages)}


def _judgements(folder: Path) -> Iterator[Judgement]:
    pages: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        kind, name = media_type_by_name(path.name), str(path.relative_to(folder))
        if kind == _MARKDOWN:
            yield _judge_markdown(name, path.read_bytes())
        elif kind in _MARKUPS:
            yield _judge_markup(name, path.read_bytes(), kind)
        elif kind == _HTML:
            pages[name] = path.read_bytes()
    yield from _judge_html(pages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--worst", type=int, default=5, metavar="N", help="show the N files with the most markup")
    asked = parser.parse_args()
    found = list(_judgements(asked.folder))
    right = [each for each in found if each.is_titled]
    characters, markup = sum(each.characters for each in found), sum(each.markup for each in found)
    share = f"{markup / max(1, characters):.2%}"
    print(f"files {len(found)}, titles right {len(right)}, markup {share} of {characters:,} characters")
    for each in found:
        if not each.is_titled:
            print(f"  title of {each.name}: {each.title!r}, wanted {each.wanted!r}")
    for each in sorted(found, key=lambda one: one.markup, reverse=True)[: asked.worst]:
        print(f"  {each.share:.1%} of {each.characters:,} characters in {each.name}: {' '.join(each.examples)}")


if __name__ == "__main__":
    main()
