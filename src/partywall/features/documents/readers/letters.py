"""Guesses the encoding of a text by how often the most frequent letters of its script or languages occur in it.

A statistical library needs more text than a small file has, and confuses scripts of the same bytes; this decides first.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from typing import Final, NamedTuple

from partywall.features.documents.readers.frequent_characters import (
    HANGUL,
    KANA,
    KANJI,
    PUNCTUATION,
    SIMPLIFIED,
    TRADITIONAL,
)

_SAMPLE: Final = 64 * 1024
_ENOUGH: Final = 0.55
# Of so many characters beyond ASCII, one may be wrong: a byte that was lost or changed.
_RARE: Final = 20
_CYRILLIC: Final = "оеаинтсрвл"
# Quotation marks, dashes and such, at the same places in the encodings of Latin letters.
_MARKS: Final = "\u2019\u2018\u201c\u201d\u201e\u2013\u2014\u2026\u20ac"


class _Alphabet(NamedTuple):
    """Of all characters beyond ASCII in a text, those in `often` are about the fraction `share`; `half` count half.

    `is_wide`: most of them have two bytes or more.
    """

    encoding: str
    often: str
    share: float
    half: str = ""
    is_latin: bool = False
    is_wide: bool = False


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
    _Alphabet("cp932", KANA + KANJI + PUNCTUATION, 0.75, is_wide=True),
    _Alphabet("euc_jp", KANA + KANJI + PUNCTUATION, 0.75, is_wide=True),
    _Alphabet("gb18030", SIMPLIFIED + PUNCTUATION, 0.75, is_wide=True),
    _Alphabet("big5", TRADITIONAL + PUNCTUATION, 0.75, is_wide=True),
    _Alphabet("cp949", HANGUL + PUNCTUATION, 0.8, is_wide=True),
)


def guessed_by_letters(data: bytes) -> str:
    """Python's name of the encoding; empty if none fits."""
    scored = [(_score(data[:_SAMPLE], alphabet), alphabet.encoding) for alphabet in _ALPHABETS]
    score, encoding = max(scored, key=lambda each: each[0])
    return encoding if score >= _ENOUGH else ""


def _score(data: bytes, alphabet: _Alphabet) -> float:
    """How often its frequent letters occur, compared with an ordinary text."""
    text = getincrementaldecoder(alphabet.encoding)("replace").decode(data).lower()
    foreign = [letter for letter in text if letter > "\x7f"]
    latin = sum(letter.isascii() and letter.isalpha() for letter in text)
    wrong = sum("\x80" <= letter < "\xa0" or letter == "\ufffd" for letter in foreign)
    if not foreign or wrong * (_RARE if alphabet.is_wide else len(text) + 1) > len(foreign):
        return 0.0
    if not alphabet.is_wide and alphabet.is_latin != (len(foreign) < latin / 2):
        return 0.0
    often = sum(
        (letter in alphabet.often or letter in alphabet.is_latin * _MARKS) + (letter in alphabet.half) / 2
        for letter in foreign
    )
    return often / len(foreign) / alphabet.share
