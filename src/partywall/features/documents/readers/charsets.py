"""Decodes text in any encoding: by its byte order mark, as UTF-8, by what the file declares, or by a guess."""

from __future__ import annotations

import codecs
import re
from importlib import import_module
from typing import Final

from partywall.features.documents.readers.letters import guessed_by_letters
from partywall.formats.text_signs import HEAD, MARKS, escaped_charset, wide_charset

_DECLARED: Final = re.compile(rb"""(?:charset|encoding|coding)\s{0,9}[=:]\s{0,9}["']?([A-Za-z0-9_.:-]{2,40})""")
_GUESSED_FROM: Final = 256 * 1024
# As browsers read them: what calls itself ISO-8859-1 or Shift_JIS is almost always the larger set of Windows.
_LARGER: Final = {
    "iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254", "shift_jis": "cp932", "gb2312": "gb18030",
    "gbk": "gb18030", "iso8859-11": "cp874", "euc_kr": "cp949", "tis-620": "cp874",
}  # fmt: skip
# Their text may look like another one in UTF-8, so UTF-8 is not tried first.
_LIKE_ASCII: Final = ("utf-16", "utf-32", "utf-7", "iso2022", "hz")
# So many valid bytes after the first one of a character make up for a wrong byte: if the encoding is declared, or not.
_FEW: Final = 1
_VERY_FEW: Final = 4
_EURO: Final = re.compile(rb"[0-9][ \xa0]?\xa4(?![A-Za-z\x80-\xff])")
_FIRST_LATIN: Final = 0xA0  # below are letters and quotation marks of other encodings
_LOST: Final = "\ufffd"
_SEVERAL_BYTES: Final = ("utf-8", "cp932", "euc_jp", "gb18030", "big5", "big5hkscs", "cp949")
# Python's codecs that give text, but from no encoding of text.
_NO_CHARSETS: Final = frozenset(
    {"charmap", "idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}
)
_PUBLIC: Final = {
    "iso2022-jp": "iso-2022-jp",
    "iso2022-kr": "iso-2022-kr",
    "cp850": "ibm850",
    "cp932": "shift_jis",
    "cp949": "euc-kr",
    "cp874": "windows-874",
    "cp866": "ibm866",
}


def decode(data: bytes, declared: str = "") -> tuple[str, str]:
    """The text, and the name of its encoding unless that is UTF-8. `declared` comes from outside of the file."""
    for mark, name in MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace"), _public(name)
    for name in (known(declared), escaped_charset(data)):
        if name.startswith(_LIKE_ASCII) and (text := _decoded(data, name)):
            return text, _public(name)
    if wide := wide_charset(data):
        return data.decode(wide, "replace"), _public(wide)
    try:
        return data.decode(), ""
    except UnicodeDecodeError:
        names = known(declared), known(_said(data))
    if text := _with_few_wrong(data, "utf-8", _FEW if "utf-8" in names else _VERY_FEW):
        return text, ""
    for name in filter(None, names):
        if text := _decoded(data, name) or _with_few_wrong(data, name, _FEW):
            return text, _public(name)
    guessed = _guessed(data[:_GUESSED_FROM])
    return data.decode(guessed, "replace"), _public(guessed)


def decode_as(data: bytes, charset: str) -> tuple[str, str]:
    """The text and the name of its encoding, which is this one unless a byte order mark says otherwise or it fails."""
    name = known(charset)
    if name and not data.startswith(tuple(mark for mark, _ in MARKS)) and (text := _decoded(data, name)):
        return text, _public(name) or "utf-8"
    text, found = decode(data, charset)
    return text, found or "utf-8"


def _said(data: bytes) -> str:
    found = _DECLARED.search(data[:HEAD])
    return found[1].decode() if found else ""


def known(name: str) -> str:
    """Python's name of the encoding to read it with; empty if there is none."""
    try:
        b" ".decode(name, "replace")  # refuses codecs that do not give text
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        return ""
    return "" if found.replace("_", "-") in _NO_CHARSETS else _LARGER.get(found, found)


def _decoded(data: bytes, name: str) -> str:
    """Empty if the text is not in this encoding."""
    try:
        return data.decode(name)
    except (LookupError, ValueError, TypeError):  # some of Python's codecs are not for text
        return ""


def _with_few_wrong(data: bytes, name: str, rate: int) -> str:
    """The text with U+FFFD for wrong bytes; empty if they are too many. A last character that is cut off is not one."""
    if name not in _SEVERAL_BYTES:
        return ""
    text = data.decode(name, "replace")
    wrong = text.count(_LOST) - data.count(_LOST.encode()) * (name == "utf-8")
    is_cut = len(codecs.getincrementaldecoder(name)("replace").decode(data)) < len(text)
    right = text.replace(_LOST, "")
    valid = len(right.encode(name, "ignore")) - len(right)
    return text if valid > 0 and (wrong - is_cut) * rate <= valid else ""


def _public(name: str) -> str:
    """The name of the encoding in the registry of the web; empty for UTF-8."""
    plain = name.replace("_", "-").replace("iso8859", "iso-8859").replace("cp125", "windows-125")
    plain = plain.replace("-le", "le").replace("-be", "be")
    return "" if plain == "utf-8" else _PUBLIC.get(plain, plain)


def _guessed(data: bytes) -> str:
    if _has_euro(data):
        return "iso8859-15"
    if found := guessed_by_letters(data):
        return found
    return str(import_module(f"{__package__}.statistics").guessed(data))  # slow to import, and rarely needed


def _has_euro(data: bytes) -> bool:
    """Whether Latin text has an amount in the euros of ISO-8859-15; windows-1252 has a sign there that nobody uses."""
    if not _EURO.search(data):
        return False
    foreign = data.translate(None, bytes(range(128)))
    letters = sum(data.count(bytes((code,))) for code in b"abcdefghijklmnopqrstuvwxyz")
    return min(foreign) >= _FIRST_LATIN and len(foreign) - foreign.count(b"\xa4") <= letters / 2
