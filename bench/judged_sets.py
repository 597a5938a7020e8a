"""Makes folders for `partywall eval` from the documentation of Debian packages, with the questions in `bench/judged`.

python -m bench.judged_sets --root / --to FOLDER [SET ...]

`--root` is the folder that the packages are installed or unpacked in: git-doc for `git`, debian-handbook for
`handbook`, gnome-user-docs for `desktop-en`, `desktop-de`, `desktop-pl` and `desktop-zh`. The questions and judgements
were written for these sets, by reading the pages, in words that people use. The four desktop sets have the same
questions in four languages.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

_JUDGED: Final = Path(__file__).parent / "judged"
_MALLARD: Final = "{http://projectmallard.org/1.0/}"


@dataclass(frozen=True, slots=True)
class Source:
    """The pages of a set: where its package has them, and how one becomes a document of the corpus."""

    package: str
    folder: str
    pages: str
    write: Callable[[Path, Path], None]


def _copy(page: Path, corpus: Path) -> None:
    shutil.copy(page, corpus / page.name)


def _write_markdown(page: Path, corpus: Path) -> None:
    """A page of GNOME's help is XML; a title is in it, a paragraph is a line of text."""
    root = ElementTree.parse(page).getroot()  # noqa: S314 - a page of an installed package
    lines = list(_blocks(root, 1))
    (corpus / f"{page.stem}.md").write_text("\n\n".join(lines) + "\n", encoding="utf-8")


def _blocks(node: ElementTree.Element, level: int) -> Iterator[str]:
    for child in node:
        match child.tag.removeprefix(_MALLARD):
            case "info":
                pass
            case "title":
                yield f"{'#' * level} {_words(child)}"
            case "p":
                yield _words(child)
            case "section":
                yield from _blocks(child, level + 1)
            case _:
                yield from _blocks(child, level)


def _words(node: ElementTree.Element) -> str:
    return " ".join("".join(node.itertext()).split())


def _gnome(language: str) -> Source:
    return Source("gnome-user-docs", f"usr/share/help/{language}/gnome-help", "*.page", _write_markdown)


SETS: Final = {
    "git": Source("git-doc", "usr/share/doc/git-doc", "*.html", _copy),
    "handbook": Source("debian-handbook", "usr/share/doc/debian-handbook/html/en-US", "*.html", _copy),
    "desktop-en": _gnome("C"),
    "desktop-de": _gnome("de"),
    "desktop-pl": _gnome("pl"),
    "desktop-zh": _gnome("zh_CN"),
}


def make(name: str, root: Path, to: Path) -> int:
    """Writes `to/name` with corpus, queries and judgements; returns the number of documents."""
    source, folder = SETS[name], to / name
    pages = sorted((root / source.folder).glob(source.pages))
    if not pages:
        raise SystemExit(f"no pages in {root / source.folder}: install the package {source.package}")
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    for page in pages:
        source.write(page, corpus)
    shutil.copytree(_JUDGED / name, folder, dirs_exist_ok=True)
    return len(pages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"default: all ({', '.join(SETS)})")
    parser.add_argument("--root", type=Path, default=Path("/"))
    parser.add_argument("--to", type=Path, required=True)
    asked = parser.parse_args()
    for name in asked.sets or SETS:
        print(f"{name}: {make(name, asked.root, asked.to)} documents")


if __name__ == "__main__":
    main()
