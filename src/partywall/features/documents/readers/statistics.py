"""Guesses the encoding of a text by charset-normalizer, where its letters do not tell."""

from __future__ import annotations

from typing import Final

from charset_normalizer import from_bytes

# First those that reject most of what they are not.
_CANDIDATES: Final = [
    "cp932", "euc_jp", "gb18030", "big5", "cp949", "cp1251", "koi8_r", "cp1252", "cp1250", "cp1253", "cp1254", "cp1255",
    "cp1256", "cp1257", "cp1258", "iso8859_2", "iso8859_5", "iso8859_7", "iso8859_8", "cp874", "cp866",
]  # fmt: skip


def guessed(data: bytes) -> str:
    """Python's name of an encoding."""
    best = from_bytes(data, cp_isolation=_CANDIDATES, enable_fallback=False, preemptive_behaviour=False).best()
    return best.encoding if best is not None else "cp1252"
