from __future__ import annotations


def printable(text: str) -> str:
    """Of the same length, and without a character that could steer a terminal: documents may hold any."""
    return text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)
