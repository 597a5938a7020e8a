"""Passwords that leaked most often, as a file of sorted hashes. It is mapped, so that a look-up reads a few pages.

`tools/common_passwords.py` writes the file; `common_passwords.md` names its sources.
"""

from __future__ import annotations

import hashlib
import mmap
import unicodedata
from bisect import bisect_left
from functools import cache
from pathlib import Path
from typing import Final

HASHES: Final = Path(__file__).with_name("common_passwords.bin")
# Of 113,000 hashes of this width, one of ten million other passwords has the same as one of them.
WIDTH: Final = 5


def folded(text: str) -> str:
    """The form in which passwords are compared: upper and lower case, and how a keyboard composes, do not matter."""
    return unicodedata.normalize("NFKC", text).casefold()


def hashed(password: str) -> bytes:
    return hashlib.sha256(folded(password).encode("utf-8", "surrogatepass")).digest()[:WIDTH]


def is_common(password: str) -> bool:
    """Whether the password is on the list."""
    hashes, wanted = _hashes(), hashed(password)
    place = bisect_left(range(len(hashes) // WIDTH), wanted, key=lambda at: _at(hashes, at))
    return _at(hashes, place) == wanted


def _at(hashes: mmap.mmap, place: int) -> bytes:
    return hashes[place * WIDTH : (place + 1) * WIDTH]


@cache
def _hashes() -> mmap.mmap:
    with HASHES.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
