"""Splits text into tokens, and tokens into the forms by which people ask for them.

`E-4021` is found as `E4021` and `4021`, `well-known` as `known` and `wellknown`, `getUserName` as `user`, and Chinese,
Japanese, Korean, Thai, Lao, Burmese and Khmer by pairs of adjacent characters.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence, Set
from itertools import pairwise
from operator import itemgetter
from typing import Final, NamedTuple

from partywall.features.search.characters import BREAK, MARKS, SYMBOLS, UNSPACED, folded, lower, plain
from partywall.features.search.markup import MARKUP

LONGEST_WHOLE: Final = 64
"""In characters. A longer path or code is found by its parts."""
_LONGEST_VERSION: Final = 8  # parts
_MOST_RUNS: Final = 5  # of letters and digits: a hash has more, and none of them is asked for

# `C++`, `C#`, `g++`
_SUFFIX: Final = r"(?:\+\+(?!\w)|\#(?!\w))?+"
# `1'250'000`, or with a thin or a no-break space.
_THOUSANDS: Final = r"(?<=\d)['\u2019\u00a0\u2009\u202f](?=\d{3}(?!\d))"
# Between the parts of one token; not an apostrophe: `supplier's`.
_JOINT: Final = rf"(?:[-./\\@&~\u2010\u2011]|_++|::?|\+\+?|(?<=\d),(?=\d)|{_THOUSANDS})"
_ASCII: Final = "[A-Za-z0-9]++"
_ANY: Final = rf"[^\W_{SYMBOLS}{UNSPACED}]++(?:[{MARKS}{BREAK}]++[^\W_{SYMBOLS}{UNSPACED}]*+)*+"


def _token(word: str) -> str:
    return rf"(?:(?<![\w.])\.(?=[A-Za-z]))?+{word}{_SUFFIX}(?:{_JOINT}{word}{_SUFFIX})*+"


_ASCII_TOKENS: Final = re.compile(rf"{MARKUP}|({_token(_ASCII)})")
_TOKENS: Final = re.compile(
    rf"{MARKUP}|(§++[ \u00a0\u202f]?+\d++[A-Za-z]?+|{_token(_ANY)}|[{UNSPACED}][{UNSPACED}{MARKS}]*+|[{SYMBOLS}]++)"
)
_PART: Final = re.compile(rf"[^\W_]++(?:[{MARKS}]++[^\W_]*+)*+(?:\+\+|\#)?+")
_NO_SMALL_LETTER: Final = re.compile(rf"(?![{MARKS}])[\W\dA-Z_]")
_SMALL_LETTERS: Final = string.ascii_lowercase.encode()
_UNSPACED_START: Final = re.compile(f"[{UNSPACED}]")
# Thai and Lao vowels written before their consonant, and consonants stacked by a sign below.
_CLUSTER: Final = re.compile(
    rf"[\u0E40-\u0E44\u0EC0-\u0EC4]?+[^{MARKS}](?:[\u17D2\u1039].|[{MARKS}\u0E30\u0E32\u0E33\u0E45])*+", re.DOTALL
)
# A character that may be a cluster with its neighbour.
_CLUSTERED: Final = re.compile(rf"[{MARKS}\u0E30\u0E32\u0E33\u0E45\u0E40-\u0E44\u0EC0-\u0EC4\u17D2\u1039]")
_HUMP: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_RUN: Final = re.compile(r"[^\W\d_]++|\d++")
# With the sign of thousands: `1,250,000`, `1,250.50`, `1.250.000,50`, `1'250'000.50`; the plain form of a thin or
# no-break space is a space.
_GROUPED: Final = re.compile(
    r"(\d{1,3}(?:,\d{3})++)(?:\.(\d++))?+|(\d{1,3}(?:\.\d{3})++)(?:,(\d++))?+"
    r"|(\d{1,3}(?:['\u2019 ]\d{3})++)(?:[.,](\d++))?+"
)
_VERSION: Final = re.compile(r"\d++(?:\.\d++)++")
_DIGITS: Final = re.compile(r"\d++")
_SEGMENT: Final = re.compile(r"[^/\\:@~]++")


# Stop words that are abbreviations or operators in capitals.
_CAPITALS: Final = frozenset({
    "ALL", "ALS", "AM", "AND", "AS", "BE", "CAN", "DAS", "DES", "DO", "HAS", "IF", "IN", "IT", "ME", "MIT", "NO", "NOT",
    "NOW", "ON", "OR", "SO", "WHO",
})  # fmt: skip

_GROUP: Final = itemgetter(1)
_NUMERIC: Final = frozenset("0123456789.,")
_UNGROUPED: Final = dict.fromkeys(map(ord, ",.'\u2019 "))


class Form(NamedTuple):
    """A form by which a token is found, and its place in the token.

    An `exact` form is not stemmed. An `extra` form is found as well, but is not a word of the text. One that is `weak`
    too is found, but not counted.
    """

    text: str
    start: int
    end: int
    exact: bool = False
    extra: bool = False
    weak: bool = False


def tokens(text: str) -> list[str]:
    """The tokens in order."""
    return list(filter(None, (_ASCII_TOKENS if text.isascii() else _TOKENS).findall(text)))


def places(text: str) -> Iterator[re.Match[str]]:
    """The tokens in order, each as group 1 of a match."""
    return filter(_GROUP, (_ASCII_TOKENS if text.isascii() else _TOKENS).finditer(text))


def unspaced(text: str) -> int:
    """How many characters of scripts without spaces a text has."""
    return 0 if text.isascii() else len(_UNSPACED_START.findall(text))


def no_small_letters(text: str) -> int:
    """How many of its characters are digits, signs, spaces or capitals A-Z."""
    if text.isascii():
        return len(text.encode().translate(None, _SMALL_LETTERS))
    return len(_NO_SMALL_LETTER.findall(text))


def is_unspaced(token: str) -> bool:
    """Whether it is of a script without spaces."""
    return _UNSPACED_START.match(token) is not None


def forms(token: str) -> list[Form]:
    """The forms of a token, each once. The single characters of an unspaced text come last."""
    if is_plain(token):
        return [Form(token.lower(), 0, len(token))]
    if token in _CAPITALS:  # as it is, it is not among the stop words; in the index it is in lower case
        return [Form(token.lower(), 0, len(token)), Form(token, 0, len(token), exact=True, extra=True)]
    text = plain(token)
    found = _of_unspaced(text) if _UNSPACED_START.match(text) else _of_words(text)
    if len(text) == len(token):
        return list(found)
    whole = [form._replace(start=0, end=len(token)) for form in found]
    return [*whole, *_between_breaks(token)] if BREAK in token else whole


def _between_breaks(token: str) -> Iterator[Form]:
    """The forms of its pieces: some write a space without width between words."""
    for piece in filter(None, token.split(BREAK)):
        yield from (form._replace(start=0, end=len(token), extra=True, weak=True) for form in forms(piece))


def is_plain(token: str) -> bool:
    """Whether its only form is itself in lower case."""
    return token.isascii() and token.isalpha() and (token.islower() or not (token in _CAPITALS or _has_humps(token)))


def asked(token: str) -> list[Form]:
    """The forms to look up for a query's token: of unspaced text the pairs, or its only character; no weak ones."""
    found = forms(token)
    return [form for form in found if not (form.weak or (form.extra and _UNSPACED_START.match(form.text)))]


def is_clustered(token: str) -> bool:
    """Whether characters of an unspaced token may belong together."""
    return _CLUSTERED.search(token) is not None


def unspaced_forms(token: str, wanted: Set[str]) -> list[Form] | None:
    """The forms of an unspaced token that are `wanted`, in a tenth of the time of `forms`.

    None for a token whose characters are not all clusters.
    """
    if not is_unspaced(token) or is_clustered(token):
        return None
    text = plain(token)
    if len(text) != len(token):
        return None
    alone = [Form(text[at], at, at + 1, exact=True, extra=True) for at, one in enumerate(text) if one in wanted]
    together = (at for at, pair in enumerate(pairs(text)) if pair in wanted)
    return [*alone, *(Form(text[at : at + 2], at, at + 2, exact=True) for at in together)]


def pairs(text: str) -> Iterator[str]:
    """Each two adjacent characters."""
    return map(str.__add__, text, text[1:])


def _of_unspaced(text: str) -> Iterator[Form]:
    """Pairs of adjacent clusters; a cluster is a character with its marks."""
    clusters = [found.span() for found in _CLUSTER.finditer(text)]
    for (start, _), (_, end) in pairwise(clusters):
        yield Form(text[start:end], start, end, exact=True)
    for start, end in clusters:
        yield Form(text[start:end], start, end, exact=True, extra=len(clusters) > 1)


def _of_words(text: str) -> Iterator[Form]:
    parts = list(_PART.finditer(text))
    if text.startswith("§"):
        yield Form("§" + lower(parts[0][0]), 0, parts[0].end(), exact=True, extra=True)
    elif text.startswith(".") and parts:
        yield Form("." + lower(parts[0][0]), 0, parts[0].end(), exact=True, extra=True)
    if len(parts) > 1 and (grouped := _GROUPED.fullmatch(text)):
        yield from _of_groups(text, parts, grouped)
    elif len(parts) > 1 and set(text) <= _NUMERIC:
        yield from _of_numbers(text, parts)
    else:
        for part in parts:
            yield from _of_part(part[0], part.start())
        yield from _wholes(text, parts)


def _of_groups(text: str, parts: Sequence[re.Match[str]], grouped: re.Match[str]) -> Iterator[Form]:
    """A number with signs of thousands. `1.250` may be a version, and `101,202,303` a row of numbers."""
    end = len(text)
    number, fraction = next(pair for pair in (grouped.group(1, 2), grouped.group(3, 4), grouped.group(5, 6)) if pair[0])
    digits = number.translate(_UNGROUPED)
    has_dots = "," not in text and set(text) <= _NUMERIC
    yield Form(f"{digits}.{fraction}" if fraction else digits, 0, end, exact=True, extra=has_dots)
    if fraction:
        yield Form(digits, 0, len(number), exact=True, extra=True, weak=True)
    if has_dots:
        yield from _of_numbers(text, parts)
        return
    is_weak = " " not in text  # people write a plain space as well
    for part in parts:
        yield Form(part[0], part.start(), part.end(), exact=True, extra=True, weak=is_weak)
    for one, other in pairwise(parts) if len(parts) > 2 else ():
        if other.end() <= len(number):
            yield Form(one[0] + other[0], one.start(), other.end(), exact=True, extra=True, weak=True)


def _of_numbers(text: str, parts: Sequence[re.Match[str]]) -> Iterator[Form]:
    """A version, a number with a fraction, or several."""
    if len(parts) == 2:
        yield Form(text.replace(",", "."), 0, len(text), exact=True)
        for part in parts if "," in text else ():
            yield Form(part[0], part.start(), part.end(), exact=True, extra=True, weak=True)
        return
    for part in parts:
        yield Form(part[0], part.start(), part.end(), exact=True, extra="." in text)
    if "," in text:
        fractions = (found for found in _VERSION.finditer(text) if len(found[0]) <= LONGEST_WHOLE)
        yield from (Form(found[0], *found.span(), exact=True) for found in fractions)
        return
    for last in parts[1:_LONGEST_VERSION]:
        yield Form(text[: last.end()], 0, last.end(), exact=True, extra=last is not parts[-1])


def _of_part(part: str, start: int) -> Iterator[Form]:
    """A word, a number, or a mixture such as `E4021`, which is found by its runs of letters and of digits too."""
    word, end = lower(part), start + len(part)
    name = word.rstrip("+#")
    is_word = name == word and not any(map(str.isdecimal, word))
    yield Form(word if is_word else folded(word), start, end, exact=not is_word)
    if name != word:
        yield Form(name, start, start + len(name), extra=True)
    if is_word and not (part.isascii() and _has_humps(part)):
        return
    runs = list((_HUMP if is_word else _RUN).finditer(part))
    for run in runs if 1 < len(runs) <= _MOST_RUNS else ():
        if len(run[0]) > 1:
            yield Form(lower(run[0]), start + run.start(), start + run.end(), run[0].isdecimal(), extra=True)


def _has_humps(word: str) -> bool:
    """`getUserName`, but not `PDFs`."""
    return not (word.islower() or word[1:].islower() or word.isupper() or word[:-1].isupper())


def _wholes(text: str, parts: Sequence[re.Match[str]]) -> Iterator[Form]:
    """The token without its joints, and each segment of a path or an address."""
    if len(parts) < 2:
        return
    for version in _VERSION.finditer(text):
        if len(version[0]) <= LONGEST_WHOLE:
            start = version.start()
            ends = [part.end() for part in _DIGITS.finditer(text, *version.span())]
            for end in dict.fromkeys((*ends[1:_LONGEST_VERSION], ends[-1])):
                yield Form(text[start:end], start, end, exact=True, extra=True)
    segments = [found.span() for found in _SEGMENT.finditer(text)]
    for start, end in segments if len(segments) == 1 else [(0, len(text)), *segments]:
        if end - start <= 2 * LONGEST_WHOLE:
            inside = _PART.findall(text, start, end)
            whole = folded(lower(_joined(inside)))
            if len(inside) > 1 and len(whole) <= LONGEST_WHOLE:
                yield Form(whole, start, end, exact=not whole.isalpha(), extra=True)


def _joined(parts: Sequence[str]) -> str:
    """`E-4021` becomes `E4021`; numbers stay apart."""
    whole = ""
    for part in parts:
        whole += f".{part}" if whole[-1:].isdecimal() and part[0].isdecimal() else part
    return whole
