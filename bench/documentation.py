"""Reads a folder of Markdown documentation as an upload and the indexing do, and judges titles and passages.

The judge is another parser: GitHub's, `cmarkgfm`, to be installed beside the dependencies for this alone. A title is
right if it is the one in the front matter, or else the first heading as rendered. Markup is what stands in the passages
more often than in the rendered page, word by word and sign by sign; marks of lists are none. Run it with
`python -m bench.documentation FOLDER`.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from selectolax.lexbor import LexborHTMLParser

from partywall.features.documents.extraction import extract
from partywall.features.search.chunker import chunk_text
from partywall.formats.file_kinds import media_type_by_name

_MARKDOWN: Final = "text/markdown"
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


def _first_heading(page: LexborHTMLParser) -> str:
    headings = (node for node in page.css("h1, h2, h3, h4, h5, h6"))
    return next((text for node in headings if (text := " ".join(_SIGNS.sub("", node.text()).split()))), "")


def _judged(name: str, title: str, wanted: str, page: LexborHTMLParser, passages: list[str]) -> Judgement:
    read = Counter(token for passage in passages for token in _TOKEN.findall(_LIST_MARK.sub("", passage)))
    unseen = read - Counter(token for part in _seen(page) for token in _TOKEN.findall(part))
    markup = sum(len(token) * count for token, count in unseen.items())
    examples = [f"{token} ({count})" for token, count in unseen.most_common(12)]
    return Judgement(name, title, wanted, sum(len(token) * count for token, count in read.items()), markup, examples)


def _seen(page: LexborHTMLParser) -> Iterator[str]:
    """What a reader sees: code as it is, other text without the signs of programs, pictures by their descriptions."""
    for node in page.css(_UNSEEN):
        node.decompose()
    yield from (node.attributes.get("alt") or "" for node in page.css("img[alt]"))
    for node in page.css("pre, code"):
        yield node.text()
        node.replace_with("\n")
    yield "" if page.body is None else _SIGNS.sub(" ", page.body.text())


def _judgements(folder: Path) -> Iterator[Judgement]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and media_type_by_name(path.name) == _MARKDOWN:
            yield _judge_markdown(str(path.relative_to(folder)), path.read_bytes())


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
