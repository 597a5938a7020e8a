"""Reads the file `.env`. One invalid line rejects the whole file: ignoring it would leave a setting at its default.

Error messages name the line, never its content.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream
from pydantic_settings import SettingsError

DOTENV_FILE: Final = ".env"
_MOST_TOLD: Final = 10

type IsOurs = Callable[[str, str | None], bool]


def read_dotenv(is_ours: IsOurs) -> Mapping[str, str | None]:
    """The variables of the file, if it exists. Raises SettingsError with one line for each invalid line."""
    path = Path(DOTENV_FILE)
    if not (path.exists() or path.is_symlink()):
        return {}
    if path.is_dir():
        raise SettingsError(f"{DOTENV_FILE} is a directory, not a file")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{DOTENV_FILE}: not UTF-8") from error
    if found := list(_faults([*parse_stream(io.StringIO(text))], is_ours)):
        raise SettingsError("\n".join(found[:_MOST_TOLD]))
    return dotenv_values(stream=io.StringIO(text))


def _faults(lines: Sequence[Binding], is_ours: IsOurs) -> Iterator[str]:
    first: dict[str, Binding] = {}
    for each in lines:
        name, here = (each.key or "").upper(), f"{DOTENV_FILE}, line {_line(each)}"
        if each.error or (each.value is None and not (name or "X").isidentifier()):
            yield f"{here}: not NAME=VALUE, or a quote is not closed"
        elif name:
            before = first.setdefault(name, each)
            if not (is_ours(name, each.value) or is_ours(name, before.value)):
                continue
            if each.value is None:
                yield f"{here}: {name} has no value: write {name}=VALUE"
            elif before.value != each.value:
                yield f"{here}: {name} is already set in line {_line(before)}, to another value"


def _line(found: Binding) -> int:
    """The line where it begins, after the blank lines that the parser includes in it."""
    text = found.original.string
    blank = text[: len(text) - len(text.lstrip())]
    return found.original.line + len(blank.splitlines()) if blank.endswith(("\n", "\r")) else found.original.line
