"""Terminal output and input. Text of documents, accounts or servers cannot control the terminal."""

from __future__ import annotations

import sys
from typing import Final

import typer

from partywall.commands.usage_error import UsageError

# In bytes; more than the longest accepted password.
_LONGEST_LINE: Final = 10_000


def printable(text: str) -> str:
    """Replaces control characters and line breaks by blanks; the length stays the same."""
    return text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)


def print_line(line: str, *, err: bool = False) -> None:
    """Prints exactly one line."""
    typer.echo(printable(line), err=err)


def print_lines(text: str, *, err: bool = False) -> None:
    """Prints several lines; only for text of our own."""
    for line in text.split("\n"):
        print_line(line, err=err)


def print_json(text: str) -> None:
    """Prints JSON unchanged, except that control characters become JSON escapes."""
    typer.echo("".join(each if each.isprintable() or each == "\n" else _escaped(each) for each in text))


def password_line() -> str:
    """Returns the first line of standard input. Raises UsageError if it is not UTF-8."""
    line = sys.stdin.buffer.readline(_LONGEST_LINE)
    try:
        return line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise UsageError("the password on standard input is not UTF-8") from None


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
