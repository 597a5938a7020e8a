"""The marks inside a paragraph of Markdown: emphasis, links, code, tags, entities, template markers.

One pass, in time linear in the text: what does not end in its paragraph, or in some hundred characters, is text.
Simpler than CommonMark where it does not show in the words: emphasis may cross the end of a link.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from html import unescape
from html.entities import html5
from typing import Final, NamedTuple

from partywall.formats.html_names import HTML_ELEMENTS, INLINE_ELEMENTS
from partywall.formats.markdown_blocks import label_of

_BEGIN: Final = re.compile(
    r"[\\`\[\]*_{]|<(?=[A-Za-z/!?>])|!(?=\[)|~(?=~)|=(?==)|&(?=[#A-Za-z])|:(?=material-|octicons-|fontawesome-|simple-)"
)
_CODE: Final = re.compile(r"`++")
_RUN: Final = re.compile(r"\*++|_++|~++|=++")
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ADDRESS: Final = re.compile(r"<([A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]{0,2000}|[\w.+-]{1,100}@[\w.-]{1,100})>")
_TAG: Final = re.compile(
    r"""</?(?P<name>[A-Za-z][A-Za-z0-9.:_-]{0,60}+)
        (?:\s(?:[^<>"'{}]++|"[^"]{0,500}+"|'[^']{0,500}+'|\{(?:[^{}]|\{(?:[^{}]|\{[^{}]{0,100}+\}){0,200}+\}){0,300}+\}){0,40}+)?
        /?>|</?>|<\?[^<>]{0,200}+\?>|<![A-Za-z][^<>]{0,200}+>""",
    re.VERBOSE,
)
_HIDDEN: Final = frozenset({"script", "style"})
# After the text of a link: its target with a title, and attributes; or a label.
_TARGET: Final = re.compile(
    r"""\(\s*+(?:<[^<>\n]{0,2000}+>|(?:[^\s()<\\]++|\\.|\((?:[^\s()\\]|\\.|\([^\s()]{0,200}+\)){0,500}+\)){0,200}+)
        (?:\s++(?:"(?:[^"\\]|\\.){0,500}+"|'(?:[^'\\]|\\.){0,500}+'|\([^()]{0,500}+\)))?\s*+\)
        (?:\{[^{}\n]{0,300}+\})?""",
    re.VERBOSE,
)
_LABEL: Final = re.compile(r"\[([^\[\]]{0,999}+)\]")
# A name of code, for which programs find the target themselves.
_NAME: Final = re.compile(r"[A-Za-z_][\w.:/-]*+")
_NOTE: Final = re.compile(r"\[\^[^\[\]\s]{1,100}+\]")
_ALERT: Final = re.compile(r"\[!([A-Za-z]{2,20})\][+-]?")
# `{#name}` and other attributes, and roles before code.
_ATTRIBUTES: Final = re.compile(r"\{(?:[:#.][^{}\n]{1,300}+\}|[A-Za-z][\w:+-]{0,60}+\}(?=`))")
_TEMPLATES: Final = (("{{", "}}"), ("{%", "%}"), ("{/*", "*/}"), ("{*", "*}"), ("{#", "#}"))
_LONGEST_TEMPLATE: Final = 1000
_ICON: Final = re.compile(r":(?:material|octicons|fontawesome|simple)-[a-z0-9/-]{1,80}+:")
# MyST: the target after the text of a role.
_ROLE_TARGET: Final = re.compile(r"\s*+<[^<>`]{1,500}+>$")


class Edit(NamedTuple):
    """Replaces `text[start:end]` for the reader."""

    start: int
    end: int
    text: str = ""


@dataclass(slots=True)
class _Opened:
    """A bracket, or a run of emphasis marks of which `count` are not used yet."""

    start: int
    count: int = 1


@dataclass(slots=True)
class InlineReader:
    """Collects the edits of one paragraph, `text[start:end]`. `labels` are those of known link targets."""

    text: str
    start: int
    end: int
    labels: AbstractSet[str] = frozenset()
    pictures: bool = True
    edits: list[Edit] = field(default_factory=list)
    _brackets: list[_Opened] = field(default_factory=list)
    _runs: defaultdict[str, list[_Opened]] = field(default_factory=lambda: defaultdict(list))
    _codes: dict[int, list[int]] | None = None
    _pictures: list[Edit] = field(default_factory=list)
    _missing: set[str] = field(default_factory=set)

    def read(self) -> list[Edit]:
        at = self.start
        while begin := _BEGIN.search(self.text, at, self.end):
            at = begin.start()
            match begin[0]:
                case "\\":
                    at = self._escape(at)
                case "`":
                    at = self._code(at)
                case "<":
                    at = self._tag(at)
                case "!" | "[":
                    at = self._open(at)
                case "]":
                    at = self._close(at)
                case "&":
                    at = self._entity(at)
                case "{":
                    at = self._template(at)
                case ":":
                    at = self._icon(at)
                case _:
                    at = self._run(at)
        return self.edits

    def _drop(self, start: int, end: int, text: str = "") -> int:
        self.edits.append(Edit(start, end, text))
        return end

    def _find(self, wanted: str, start: int, most: int) -> int:
        """Looks once for what is missing up to the end of the paragraph."""
        if wanted in self._missing:
            return -1
        at = self.text.find(wanted, start, min(self.end, start + most))
        if at < 0 and start + most >= self.end:
            self._missing.add(wanted)
        return at

    def _escape(self, at: int) -> int:
        following = self.text[at + 1 : at + 2]
        if following and following in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\n" and at + 1 < self.end:
            self._drop(at, at + 1)
            return at + 2
        return at + 1

    def _code(self, at: int) -> int:
        """Text between runs of equally many backticks."""
        if self._codes is None:
            self._codes = defaultdict(list)
            for run in _CODE.finditer(self.text, self.start, self.end):
                self._codes[len(run[0])].append(run.start())
        opening = _CODE.match(self.text, at, self.end)
        assert opening is not None
        length = len(opening[0])
        places = self._codes.get(length, [])
        following = bisect_left(places, opening.end())
        if following == len(places):
            return opening.end()
        closing = places[following]
        self._drop(at, opening.end())
        if self.text[at - 1 : at] == "}" and (target := _ROLE_TARGET.search(self.text[opening.end() : closing][-600:])):
            self._drop(closing - len(target[0]), closing)
        return self._drop(closing, closing + length)

    def _tag(self, at: int) -> int:
        if self.text.startswith("<!--", at):
            closing = self._find("-->", at + 4, self.end)
            return at + 4 if closing < 0 else self._drop(at, closing + 3)
        if address := _ADDRESS.match(self.text, at, self.end):
            self._drop(at, at + 1)
            return self._drop(address.end() - 1, address.end())
        tag = _TAG.match(self.text, at, self.end)
        if tag is None or not self._is_tag(tag):
            return at + 1
        name, end = (tag["name"] or "").lower(), tag.end()
        if name in _HIDDEN and tag[0][1] != "/":
            closing = self._find(f"</{name}>", end, self.end)
            end = end if closing < 0 else closing + len(name) + 3
        before = self.text[at - 1 : at] if at > self.start else ""
        parts = name not in INLINE_ELEMENTS and bool(before.strip(" \t\r\n>"))
        return self._drop(at, end, " " if parts else "")

    def _is_tag(self, tag: re.Match[str]) -> bool:
        """`List<String>` is not one, but every closing tag is."""
        name, start = tag["name"], tag.start()
        if name is None or name.lower() in HTML_ELEMENTS or tag[0][1] == "/":
            return True
        return not (start > self.start and (self.text[start - 1].isalnum() or self.text[start - 1] == "_"))

    def _open(self, at: int) -> int:
        if self.text[at] == "!":
            self._brackets.append(_Opened(at, 2))
            return at + 2
        if note := _NOTE.match(self.text, at, self.end):
            after = note.end() + 1 if self.text.startswith(":", note.end()) and at == self.start else note.end()
            return self._drop(at, after)
        if alert := at == self.start and _ALERT.match(self.text, at, self.end):
            self._drop(at, at + 2)
            return self._drop(alert.end(1), alert.end())
        self._brackets.append(_Opened(at))
        return at + 1

    def _close(self, at: int) -> int:
        if not self._brackets:
            return at + 1
        opened = self._brackets.pop()
        end = self._end_of_link(opened, at)
        if end is None:
            return at + 1
        inside = opened.start + opened.count
        if opened.count == 2:
            return self._close_picture(opened, at, end)
        if self._has_only_pictures(inside, at):
            return self._drop(opened.start, end)
        self._drop(opened.start, inside)
        return self._drop(at, end)

    def _close_picture(self, opened: _Opened, at: int, end: int) -> int:
        self._pictures.append(Edit(opened.start, end))
        if not self.pictures:
            return self._drop(opened.start, end)
        self._drop(opened.start, opened.start + 2)
        return self._drop(at, end)

    def _has_only_pictures(self, start: int, end: int) -> bool:
        """Such as a badge, which links to the program that draws it."""
        while self._pictures and self._pictures[-1].start >= start:
            last = self._pictures.pop()
            if self.text[last.end : end].strip():
                return False
            end = last.start
            if not self.text[start:end].strip():
                return True
        return False

    def _end_of_link(self, opened: _Opened, at: int) -> int | None:
        """The end of the link whose text ends at the bracket `at`."""
        said = self.text[opened.start + opened.count : at]
        if target := _TARGET.match(self.text, at + 1, self.end):
            return target.end()
        if label := _LABEL.match(self.text, at + 1, self.end):
            name = label_of(label[1] or said[:1000])
            known = name in self.labels or (
                self._is_free(opened.start) and bool(said.strip()) and self._is_name(label[1] or said)
            )
            return label.end() if known else None
        return at + 1 if len(said) < 1000 and self.labels and label_of(said) in self.labels else None

    def _is_name(self, label: str) -> bool:
        return len(label) < 200 and _NAME.fullmatch(label.strip("`")) is not None

    def _is_free(self, at: int) -> bool:
        """Whether no word is before it, as in `rows[0][key]`."""
        before = self.text[at - 1 : at] if at > self.start else ""
        return not (before.isalnum() or before in {"]", ")", "_", "`"})

    def _entity(self, at: int) -> int:
        entity = _ENTITY.match(self.text, at, self.end)
        if entity is None or (entity[0][1] != "#" and entity[0][1:] not in html5):
            return at + 1
        return self._drop(at, entity.end(), unescape(entity[0]))

    def _template(self, at: int) -> int:
        if self.text[at - 1 : at] == "$" and at > self.start:
            return at + 1
        if attributes := _ATTRIBUTES.match(self.text, at, self.end):
            return self._drop(at, attributes.end())
        for begin, end in _TEMPLATES:
            if self.text.startswith(begin, at):
                closing = self._find(end, at + len(begin), _LONGEST_TEMPLATE)
                return at + len(begin) if closing < 0 else self._drop(at, closing + len(end))
        return at + 1

    def _icon(self, at: int) -> int:
        icon = _ICON.match(self.text, at, self.end)
        return at + 1 if icon is None else self._drop(at, icon.end())

    def _run(self, at: int) -> int:
        """Emphasis: a run that ends it takes as many marks as it can from those that began it."""
        run = _RUN.match(self.text, at, self.end)
        assert run is not None
        mark, end = run[0][0], run.end()
        if mark in "~=" and end - at != 2:
            return end
        before = self.text[at - 1] if at > self.start else " "
        after = self.text[end] if end < self.end else " "
        opens = not after.isspace() and (_is_word(after) or not _is_word(before))
        closes = not before.isspace() and (_is_word(before) or not _is_word(after))
        if mark == "_":
            opens, closes = opens and not _is_word(before), closes and not _is_word(after)
        opened, start = self._runs[mark], at
        while closes and start < end and opened:
            last = opened[-1]
            count = min(last.count, end - start)
            last.count -= count
            self._drop(last.start + last.count, last.start + last.count + count)
            start = self._drop(start, start + count)
            if not last.count:
                opened.pop()
        if opens and start < end:
            opened.append(_Opened(start, end - start))
        return end


def _is_word(character: str) -> bool:
    return character.isalnum() or (ord(character) > 127 and not character.isspace())
