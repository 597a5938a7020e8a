"""Front matter of Markdown files: YAML between lines of `---`, TOML between lines of `+++`, or a JSON object."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple

from partywall.formats.one_line import one_line

if TYPE_CHECKING:
    from pydantic import JsonValue  # not needed to run, and slow to import

LONGEST: Final = 32 * 1024
"""In characters; what does not end up to here is no front matter."""
_LONGEST_TITLE: Final = 1000
_LONGEST_WORD: Final = 100
_MOST_TAGS: Final = 100
_DEEPEST: Final = 50
_MOST_DOTS: Final = 100  # in a line of TOML

_BEGIN: Final = re.compile(r"(?P<mark>---|\+\+\+)[ \t]*+(?:\r\n|\r|\n)")
_ENDS: Final = {
    "---": re.compile(r"(?:^|(?<=[\r\n]))(?:---|\.\.\.)[ \t]*+(?:\r\n|\r|\n|\Z)"),
    "+++": re.compile(r"(?:^|(?<=[\r\n]))\+\+\+[ \t]*+(?:\r\n|\r|\n|\Z)"),
}
_LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")
_BLANK: Final = re.compile(r"\ufeff?[ \t\r\n]*+")
_LINE_END: Final = re.compile(r"[ \t]*+(?:\r\n|\r|\n|\Z)")
_KEY: Final = re.compile(r"""["']?[\w.-]++["']?[ \t]*+(?::(?:[ \t]|$)|=)""")
# JSON, which YAML includes, writes a character outside the BMP as two escapes, which YAML refuses.
_PAIR: Final = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
# A line of YAML that is not valid as a whole, such as `title: Ports: an overview`.
_SAID: Final = re.compile(r"^(?P<key>title|date|lang|language)[ \t]*+:[ \t]++(?P<value>\S.*+)$", re.MULTILINE)
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")
_NULL: Final = frozenset({"~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What a file says about itself before its text, which begins at `end`."""

    end: int = 0
    title: str = ""
    author: str = ""
    date: str = ""
    tags: tuple[str, ...] = ()
    language: str = ""

    @property
    def metadata(self) -> dict[str, JsonValue]:
        """The metadata of a document with this front matter."""
        found: dict[str, JsonValue] = {
            "author": self.author,
            "date": self.date,
            "tags": [*self.tags],
            "language": self.language,
        }
        return {key: value for key, value in found.items() if value}


def front_matter(text: str) -> FrontMatter:
    found = _find(text)
    return FrontMatter(_mark_end(text)) if found is None else _of_data(found.parse(), found.end)


def front_matter_of(said: Mapping[str, object]) -> FrontMatter:
    """What a file of another format says in fields with these names, in lower case."""
    return _said(said, 0)


def front_matter_end(text: str) -> int:
    """Where the text after it begins: after a byte order mark if there is none."""
    found = _find(text)
    return _mark_end(text) if found is None else found.end


def _mark_end(text: str) -> int:
    return int(text.startswith("\ufeff"))


class _Found(NamedTuple):
    parse: Callable[[], object]
    end: int


def _find(text: str) -> _Found | None:
    start = _match_end(_BLANK, text, 0)
    if begin := _BEGIN.match(text, start):
        return _fenced(text, begin)
    return _braced(text, start) if text.startswith("{", start) else None


def _fenced(text: str, begin: re.Match[str]) -> _Found | None:
    mark, start = begin["mark"], begin.end()
    head = text[start : start + LONGEST]
    end = _ENDS[mark].search(head)
    if end is None or not _is_data(head[: end.start()]):  # text may stand between two rules too
        return None
    written = _LINE_ENDS.sub("\n", head[: end.start()])
    return _Found(partial(_parsed, _yaml if mark == "---" else _toml, written), start + end.end())


def _is_data(written: str) -> bool:
    lines = (line.lstrip() for line in _LINE_ENDS.split(written))
    first = next((line for line in lines if line and not line.startswith("#")), None)
    return not written.strip() if first is None else first.startswith("[") or _KEY.match(first) is not None


def _braced(text: str, start: int) -> _Found | None:
    """An object before other text. A file of JSON alone has no front matter."""
    try:
        said, length = json.JSONDecoder().raw_decode(text[start : start + LONGEST])
    except (ValueError, RecursionError):
        return None
    after = _LINE_END.match(text, start + length)
    if after is None or after.end() == len(text):
        return None
    return _Found(lambda: said, after.end())


def _parsed(parse: Callable[[str], object], written: str) -> object:
    try:
        return parse(written)
    except (ValueError, RecursionError):
        return {found["key"]: found["value"].strip(" \t\"'") for found in _SAID.finditer(written)}


def _toml(written: str) -> object:
    """Raises ValueError."""
    if any(line.count(".") > _MOST_DOTS for line in written.split("\n")):
        raise ValueError("a key of many parts takes quadratic time")
    return tomllib.loads(written)


def _yaml(written: str) -> object:
    """Every scalar is text, as it is written. Raises ValueError."""
    yaml = import_module("yaml")  # few files need it
    loader, depth = getattr(yaml, "CBaseLoader", yaml.BaseLoader), 0
    written = _PAIR.sub(lambda pair: str(json.loads(f'"{pair[0]}"')), written)
    try:
        for event in yaml.parse(written, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:  # the loader recurses in C, without a limit
                raise ValueError("nested too deeply")
        return yaml.load(written, Loader=loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _of_data(data: object, end: int) -> FrontMatter:
    said = {key.lower(): value for key, value in data.items() if isinstance(key, str)} if isinstance(data, dict) else {}
    return _said(said, end)


def _said(said: Mapping[str, object], end: int) -> FrontMatter:
    language = next((word for key in ("language", "lang", "locale") if (word := _word(said.get(key)))), "")
    return FrontMatter(
        end,
        _text(said.get("title"), _LONGEST_TITLE),
        ", ".join(_words(said.get("author") or said.get("authors")))[:_LONGEST_TITLE],
        _word(said.get("date")),
        _words(said.get("tags") or said.get("keywords")),
        language.replace("_", "-") if _LANGUAGE.fullmatch(language) else "",
    )


def _words(value: object) -> tuple[str, ...]:
    """A list, or a text with commas."""
    values = value.split(",", _MOST_TAGS) if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(dict.fromkeys(word for each in values[:_MOST_TAGS] if (word := _word(each))))


def _word(value: object) -> str:
    return _text(value, _LONGEST_WORD)


def _text(value: object, longest: int) -> str:
    """A scalar in one line; empty if it is none or longer."""
    if value is None or isinstance(value, bool | dict | list):
        return ""
    text = value if isinstance(value, str) else str(value)
    return "" if text in _NULL else one_line(text[: longest + 1])[:longest]


def _match_end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return start if found is None else found.end()
