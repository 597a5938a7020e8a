"""The one way to a terminal: whatever was written elsewhere, by a document, an account or a server, steers none.

And the one way in: what is read from standard input.
"""

from __future__ import annotations

import sys
from typing import Final

import typer

from partywall.commands.usage_error import UsageError

# In bytes: more than the longest password that is accepted.
_LONGEST_LINE: Final = 10_000


def printable(text: str) -> str:
    """Of the same length, and without a character that could steer a terminal or break the line."""
    return text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)


def print_line(line: str, *, err: bool = False) -> None:
    """One line, whatever is in it."""
    typer.echo(printable(line), err=err)


def print_lines(text: str, *, err: bool = False) -> None:
    """Several lines, as they were written by us."""
    for line in text.split("\n"):
        print_line(line, err=err)


def print_json(text: str) -> None:
    """JSON as it came, which means the same with escapes for what could steer a terminal."""
    typer.echo("".join(each if each.isprintable() or each == "\n" else _escaped(each) for each in text))


def password_line() -> str:
    """The first line of standard input."""
    line = sys.stdin.buffer.readline(_LONGEST_LINE)
    try:
        return line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise UsageError("the password on standard input is not UTF-8") from None


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
