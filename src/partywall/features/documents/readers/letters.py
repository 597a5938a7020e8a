"""Guesses the encoding of a text by how often the most frequent letters of its script or languages occur in it.

A statistical library needs more text than a small file has, and confuses scripts of the same bytes; this decides first.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from typing import Final, NamedTuple

_SAMPLE: Final = 64 * 1024
_ENOUGH: Final = 0.55
_CYRILLIC: Final = "оеаинтсрвл"
# Quotation marks, dashes and such, at the same places in the encodings of Latin letters.
_MARKS: Final = "\u2019\u2018\u201c\u201d\u201e\u2013\u2014\u2026\u20ac"
_KANA: Final = "".join(map(chr, range(0x3041, 0x30FF)))


class _Alphabet(NamedTuple):
    """Of all characters beyond ASCII in a text, those in `often` are about the fraction `share`; `half` count half."""

    encoding: str
    often: str
    share: float
    half: str = ""
    is_latin: bool = False


_ALPHABETS: Final = (
    _Alphabet("cp1252", "äöüßéèêëàâçñáíóúãôåæîï«»°§·¿¡", 0.9, "øìùòœõû", is_latin=True),
    *(
        _Alphabet(encoding, often, 0.9, half, is_latin=True)
        for encoding in ("cp1250", "iso8859_2")
        for often, half in (
            ("ąęłśżźńćčěřůšžťďňőű", "áéíóúýäöüßçâî"),
            ("áčďéěíňóřšťúůýžľĺŕô", ""),
            ("áéíóöőúüű", ""),
        )
    ),
    _Alphabet("cp850", "äöüßéèàçâêîôáíóúñ", 0.9, is_latin=True),
    _Alphabet("cp1254", "ğışçöüâ", 0.9, "éîû", is_latin=True),
    _Alphabet("cp1257", "āčēģīķļņšūžąęėįų", 0.9, "äöüõé", is_latin=True),
    _Alphabet("cp1251", _CYRILLIC, 0.62),
    _Alphabet("koi8_r", _CYRILLIC, 0.62),
    _Alphabet("koi8_u", "оаинівтесрїє", 0.68),
    _Alphabet("cp866", _CYRILLIC, 0.62),
    _Alphabet("iso8859_5", _CYRILLIC, 0.62),
    _Alphabet("cp1253", "αοιετσνηυρ", 0.62),
    _Alphabet("cp1255", "יוהלאתמרשב", 0.65),
    _Alphabet("cp1256", "اليمونرتبه", 0.65),
    _Alphabet("iso8859_6", "اليمونرتبه", 0.65),
    _Alphabet("cp874", "านรอกเงมยล่้", 0.5),
    _Alphabet("cp932", _KANA, 0.5),
    _Alphabet("euc_jp", _KANA, 0.5),
    _Alphabet(
        "gb18030", "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年,。", 0.35
    ),
    _Alphabet(
        "big5",
        "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年\uff0c。",
        0.35,
    ),
    _Alphabet("cp949", "이다는에의가을를은하고지로한기사도어리자인시대서나일해정아", 0.45),
)


def guessed_by_letters(data: bytes) -> str:
    """Python's name of the encoding; empty if none fits."""
    scored = [(_score(data[:_SAMPLE], alphabet), alphabet.encoding) for alphabet in _ALPHABETS]
    score, encoding = max(scored, key=lambda each: each[0])
    return encoding if score >= _ENOUGH else ""


def _score(data: bytes, alphabet: _Alphabet) -> float:
    """How often its frequent letters occur, compared with an ordinary text."""
    try:
        text = getincrementaldecoder(alphabet.encoding)().decode(data).lower()
    except UnicodeDecodeError:
        return 0.0
    foreign = [letter for letter in text if letter > "\x7f"]
    latin = sum(letter.isascii() and letter.isalpha() for letter in text)
    if not foreign or any("\x80" <= letter < "\xa0" for letter in foreign):
        return 0.0
    if alphabet.is_latin != (len(foreign) < latin / 2):
        return 0.0
    often = sum(
        (letter in alphabet.often or letter in alphabet.is_latin * _MARKS) + (letter in alphabet.half) / 2
        for letter in foreign
    )
    return often / len(foreign) / alphabet.share
