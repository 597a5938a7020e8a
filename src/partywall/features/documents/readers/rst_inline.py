"""The marks inside a paragraph of reStructuredText: emphasis, literals, roles, links, references, substitutions.

One pass in linear time. A mark without its end is text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_BEGIN: Final = re.compile(r"\\|``|`|\*\*?|\||_`|_{1,2}(?!\w)|\[|:(?=[A-Za-z][\w.+:-]{0,60}:`)")
_ROLE: Final = re.compile(r":([A-Za-z][\w.+:-]{0,60}):(?=`)")
_ROLE_AFTER: Final = re.compile(r":[A-Za-z][\w.+:-]{0,60}:(?!\w)")
_ENDS: Final = {
    "``": re.compile(r"(?<!\s)``(?![\w`])"),
    "`": re.compile(r"(?<![\s\\])`(?![^\W_])"),
    "**": re.compile(r"(?<![\s\\])\*\*(?!\w)"),
    "*": re.compile(r"(?<![\s\\])\*(?!\w)"),
    "|": re.compile(r"(?<![\s\\])\|(?![^\W_])"),
}
_NOTE: Final = re.compile(r"\[(?P<label>\d{1,9}|[#*]|#?[\w.-]{1,100})\]_(?!\w)")
_TARGET: Final = re.compile(r"\s*(?<!\\)<(?P<target>[^<>]{1,2000})>$")
_ESCAPE: Final = re.compile(r"\\(?:\s|(.))")
_PAIRS: Final = {"'": "'", '"': '"', "(": ")", "[": "]", "{": "}", "<": ">"}
_OF_MENUS: Final = ("guilabel", "menuselection")
_ACCESS_KEY: Final = re.compile(r"&(\S)")
_NUMBERED: Final = {"pep": "PEP ", "rfc": "RFC "}
_IN_NAMES: Final = "-._+:"
_LONGEST_NAME: Final = 100


@dataclass(slots=True)
class Inline:
    """Reads paragraphs. `substitutions` are what the file defines for names between bars."""

    substitutions: Mapping[str, str] = field(default_factory=dict)

    def read(self, text: str) -> str:
        return _Reader(text, self.substitutions).read()


@dataclass(slots=True)
class _Reader:
    text: str
    substitutions: Mapping[str, str]
    parts: list[str] = field(default_factory=list)
    taken: int = 0
    _missing: set[str] = field(default_factory=set)

    def read(self) -> str:
        at = 0
        while begin := _BEGIN.search(self.text, at):
            at = self._mark(begin)
        self.parts.append(self.text[self.taken :])
        return "".join(self.parts)

    def _mark(self, begin: re.Match[str]) -> int:
        at, mark = begin.start(), begin[0]
        match mark:
            case "\\":
                following = self.text[at + 1 : at + 2]
                return self._replace(at, at + 2, "" if following.isspace() else following)
            case ":":
                return self._role(at)
            case "[":
                return self._note(at)
            case "_" | "__":
                return self._reference(at, begin.end())
            case "_`":
                self._replace(at, at + 1, "")
                return at + 1
            case _:
                return self._pair(at, mark)

    def _replace(self, start: int, end: int, text: str) -> int:
        self.parts += (self.text[self.taken : start], text)
        self.taken = end
        return end

    def _end(self, mark: str, start: int) -> int:
        """Where the text ends that begins at `start`; looks once for what is missing up to the end of the paragraph."""
        if mark in self._missing or self.text[start : start + 1].strip() == "":
            return -1
        found = _ENDS[mark].search(self.text, start + 1)
        if found is None:
            self._missing.add(mark)
            return -1
        return found.start()

    def _is_free(self, at: int, after: int) -> bool:
        """Whether a mark can begin here: not within a word, and not quoted alone."""
        before = self.text[at - 1 : at] if at else ""
        return not before.isalnum() and (not before or _PAIRS.get(before, "") != self.text[after : after + 1])

    def _pair(self, at: int, mark: str) -> int:
        start = at + len(mark)
        end = self._end(mark, start) if self._is_free(at, start) else -1
        if end < 0:
            return start
        said = self.text[start:end]
        match mark:
            case "``":
                return self._replace(at, end + 2, said)
            case "`":
                return self._phrase(at, end, said)
            case "|":
                return self._substitution(at, end, said)
            case _:
                return self._replace(at, end + len(mark), _unescaped(said))

    def _phrase(self, at: int, end: int, said: str) -> int:
        """A link, or text with a role after it or with none."""
        after = end + 1
        if self.text.startswith("_", after):
            after += 2 if self.text.startswith("__", after) else 1
            return self._replace(at, after, _shown(said))
        if role := _ROLE_AFTER.match(self.text, after):
            after = role.end()
        return self._replace(at, after, _shown(said))

    def _role(self, at: int) -> int:
        role = _ROLE.match(self.text, at)
        if role is None or not self._is_free(at, role.end()):
            return at + 1
        end = self._end("`", role.end() + 1)
        if end < 0:
            return role.end() + 1
        name = role[1].rpartition(":")[2].lower()
        said = self.text[role.end() + 1 : end]
        if name in _OF_MENUS:
            said = _ACCESS_KEY.sub(r"\1", said)
        return self._replace(at, end + 1, _NUMBERED.get(name, "") + _shown(said, is_role=True))

    def _substitution(self, at: int, end: int, said: str) -> int:
        if "\n\n" in said or "|" in said:
            return at + 1
        after = end + 1
        while after < end + 3 and self.text.startswith("_", after):
            after += 1
        name = " ".join(said.split())
        return self._replace(at, after, self.substitutions.get(name, self.substitutions.get(name.lower(), name)))

    def _note(self, at: int) -> int:
        note = _NOTE.match(self.text, at)
        if note is None:
            return at + 1
        label = note["label"].lstrip("#*")
        return self._replace(at, note.end(), f"[{label}]" if label else "")

    def _reference(self, at: int, end: int) -> int:
        """Underscores after a name, which make it a link."""
        start = at
        while start > max(self.taken, at - _LONGEST_NAME) and self._is_of_name(start - 1):
            start -= 1
        is_name = start < at and self.text[start].isalnum() and self.text[at - 1].isalnum()
        return self._replace(at, end, "") if is_name else end

    def _is_of_name(self, at: int) -> bool:
        return self.text[at].isalnum() or self.text[at] in _IN_NAMES


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: found[1] or "", text) if "\\" in text else text


def _shown(said: str, *, is_role: bool = False) -> str:
    """The text of a link or role, without its target. `~a.b` shows the last part of a name."""
    if target := _TARGET.search(said[-2010:]):
        text = said[: len(said) - len(target[0])]
        return _unescaped(text.strip() or target["target"].removesuffix("_"))
    if is_role and said.startswith("~"):
        return said.rpartition(".")[2].lstrip("~")
    return _unescaped(said.removeprefix("!") if is_role else said)
