"""Renders mails from the sending slice's Jinja2 templates, inside a shared layout."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jinja2 import Environment

_LAYOUT: Final = Path(__file__).with_name("templates")
_LONGEST_NAME: Final = 60
# Mail programs turn these into links, so a name could lead its reader to a foreign site.
_LINK: Final = re.compile(r"(?i)://|\bwww\.")
_DOMAIN_DOT: Final = re.compile(r"(?<=\w)[.\u3002\uff0e\uff61](?=[^\W\d_]{2})")


@dataclass(frozen=True, slots=True)
class Content:
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """`NAME.subject.txt`, `NAME.txt` and `NAME.html` in a folder of the slice.

    The last two extend `layout.txt` and `layout.html` and fill the block `body`. Write values that users choose as
    `{{ name | as_name }}`, an address as `{{ address | one_line }}`.
    """

    directory: Path
    name: str

    def render(self, values: Mapping[str, object]) -> Content:
        """Blocks for the first mail. Raises jinja2.UndefinedError if `values` lacks a name."""
        environment = _environment(self.directory)
        subject, text, html = (
            environment.get_template(f"{self.name}.{part}").render(values) for part in ("subject.txt", "txt", "html")
        )
        return Content(one_line(subject), text.strip() + "\n", html.strip() + "\n")


def one_line(text: str) -> str:
    """Remove line breaks and invisible characters, so that a name cannot add text of its own to the mail."""
    return "".join(each for each in " ".join(text.split()) if each.isprintable())


def as_name(text: str) -> str:
    """One short line without anything that a mail program would turn into a link."""
    words = ("…" if _LINK.search(word) else word for word in one_line(text).split(" "))
    name = _DOMAIN_DOT.sub(". ", " ".join(words))
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1].rstrip()}…"


@lru_cache
def _environment(directory: Path) -> Environment:
    # lint: allow import-in-function - takes 2 MB, which processes that send no mail save
    from jinja2 import (  # noqa: PLC0415 - see above
        Environment,
        FileSystemLoader,
        StrictUndefined,
        select_autoescape,
    )

    environment = Environment(
        loader=FileSystemLoader([directory, _LAYOUT]),
        undefined=StrictUndefined,
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"one_line": one_line, "as_name": as_name}
    return environment
