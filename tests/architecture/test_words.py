"""Identifiers use the words of docs/reference/glossary.md, not those that they replaced."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.architecture.layout import ROOT, tracked_files

# Words that once had a private meaning in this project. Texts may contain them; identifiers and module names may not.
PRIVATE: Final = frozenset(
    [
        "announcer",
        "besiege",
        "besieged",
        "besiegers",
        "bureau",
        "clerk",
        "desk",
        "doomed",
        "engagement",
        "furnish",
        "furnished",
        "furniture",
        "headlines",
        "house",
        "lane",
        "liveness",
        "news",
        "newswire",
        "office",
        "parked",
        "patience",
        "shelf",
        "siege",
        "spoils",
        "stranger",
        "strangers",
        "suspects",
        "tails",
        "twin",
        "twins",
        "unpark",
        "whoever",
        "wish",
    ]
)
# Modules are nouns; these look like verb forms but are nouns or adjectives.
NOUNS: Final = frozenset({"existing", "outgoing", "pricing"})
FOLDERS: Final = ("src", "tests", "bench")
HERE: Final = Path(__file__)

_ANY: Final = re.compile("|".join(sorted(PRIVATE)), re.IGNORECASE)
_PART: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z0-9]+")


def private_words(name: str) -> list[str]:
    return [part.lower() for part in _PART.findall(name) if part.lower() in PRIVATE]


def identifiers(source: str) -> Iterator[tuple[int, str]]:
    """The identifiers that contain a private word, each with its line."""
    if not _ANY.search(source):
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and private_words(token.string):
            yield token.start[0], token.string


def modules() -> list[Path]:
    return [path for path in tracked_files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in FOLDERS]


def test_no_identifier_has_a_private_word() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in modules()
        if path != HERE
        for line, name in identifiers(path.read_text())
    ]
    assert found == [], "use the word of docs/reference/glossary.md"


def test_no_sql_has_a_private_word() -> None:
    """Texts and comments of SQL files, too."""
    files = [path for path in tracked_files() if path.suffix == ".sql"]
    found = {path.relative_to(ROOT): words for path in files if (words := private_words(path.read_text()))}
    assert files
    assert found == {}, "use the word of docs/reference/glossary.md"


def test_no_module_is_named_by_a_private_word() -> None:
    assert [path for path in modules() if private_words(path.stem)] == []


def test_modules_are_nouns() -> None:
    names = {path: path.stem.removeprefix("test_").rpartition("_")[2] for path in modules()}
    assert [path for path, name in names.items() if name.endswith("ing") and name not in NOUNS] == []


@pytest.mark.parametrize("name", ["house", "open_house", "BesiegedApp", "_NEWS", "test_the_clerk_writes"])
def test_a_private_word_is_found(name: str) -> None:
    assert [found for _, found in identifiers(f"{name} = 1\n")] == [name]


@pytest.mark.parametrize("source", ["greenhouse = 1\n", "# the house\n", "x = 'news'\n", "planes = 1\n"])
def test_other_names_and_texts_are_left(source: str) -> None:
    assert list(identifiers(source)) == []
