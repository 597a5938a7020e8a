"""Directives of reStructuredText and Sphinx: what a person sees of each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

DIRECTIVE: Final = re.compile(r"\.\. +(?P<name>[A-Za-z][\w.+:-]{0,80}?) ?::(?: +(?P<argument>.*))?$")
_OPTION: Final = re.compile(r":(?P<name>[\w-]{1,80}):(?: +(?P<value>.*))?$")

# Of other pages, of programs, or nothing to see.
HIDDEN: Final = frozenset(
    [
        "toctree",
        "include",
        "literalinclude",
        "raw",
        "index",
        "meta",
        "contents",
        "sectnum",
        "section-numbering",
        "target-notes",
        "default-role",
        "role",
        "highlight",
        "default-domain",
        "currentmodule",
        "py:currentmodule",
        "c:namespace",
        "c:namespace-push",
        "c:namespace-pop",
        "cpp:namespace",
        "cpp:namespace-push",
        "cpp:namespace-pop",
        "testsetup",
        "testcleanup",
        "graphviz",
        "digraph",
        "graph",
        "inheritance-diagram",
        "bibliography",
        "mermaid",
        "uml",
        "tabularcolumns",
        "title",
        "default-literal-role",
        "autosummary",
    ]
)
CODE: Final = frozenset(
    [
        "code",
        "code-block",
        "sourcecode",
        "literal",
        "prompt",
        "doctest",
        "testcode",
        "testoutput",
        "math",
        "productionlist",
        "console",
        "ipython",
        "parsed-literal",
        "terminal",
        "code-cell",
    ]
)
# Their text may begin on the first line, and has marks.
TEXT: Final = frozenset(
    [
        "attention",
        "caution",
        "danger",
        "error",
        "hint",
        "important",
        "note",
        "tip",
        "warning",
        "admonition",
        "seealso",
        "rubric",
        "topic",
        "sidebar",
        "todo",
        "compound",
        "epigraph",
        "highlights",
        "pull-quote",
        "centered",
        "glossary",
        "header",
        "footer",
        "versionadded",
        "versionchanged",
        "deprecated",
        "versionremoved",
        "versionchanged-all",
        "figure",
        "table",
        "csv-table",
        "list-table",
        "tab",
        "tab-item",
        "tabs",
    ]
)
# Their argument is for programs.
UNSEEN_ARGUMENT: Final = frozenset(
    [
        "module",
        "automodule",
        "class",
        "rst-class",
        "cssclass",
        "container",
        "only",
        "ifconfig",
        "figure",
        "image",
        "hlist",
        "acks",
        "centered-block",
        "grid",
    ]
)
# Their argument is code, like that of all directives of a domain.
SIGNATURES: Final = frozenset(
    [
        "function",
        "method",
        "classmethod",
        "staticmethod",
        "attribute",
        "property",
        "data",
        "decorator",
        "exception",
        "describe",
        "object",
        "option",
        "cmdoption",
        "program",
        "envvar",
        "confval",
        "autofunction",
        "autoclass",
        "automethod",
        "autodata",
        "autoattribute",
        "autoexception",
    ]
)
VERSIONS: Final = {
    "versionadded": "Added in version", "versionchanged": "Changed in version",
    "deprecated": "Deprecated since version", "versionremoved": "Removed in version",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Directive:
    """`argument` are the lines before the options and the first empty line; `body` those after them.

    `py:function` has the domain `py`.
    """

    name: str
    domain: str = ""
    argument: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    body: Sequence[str] = ()

    @property
    def text(self) -> Sequence[str]:
        """The argument as the beginning of the body."""
        return [*self.argument, "", *self.body] if self.options or not self.argument else [*self.argument, *self.body]


def directive(name: str, argument: str, block: Sequence[str]) -> Directive:
    """`block` are the lines below the first, without their indentation."""
    domain, _, short = ("", "", name.lower()) if name.lower() in HIDDEN else name.lower().rpartition(":")
    at, arguments = 0, [argument] if argument else []
    options: dict[str, str] = {}
    while at < len(block) and block[at].strip() and not _OPTION.match(block[at].lstrip()):
        arguments.append(block[at])
        at += 1
    last = ""
    while at < len(block) and (option := _OPTION.match(block[at].lstrip()) or (last and block[at].startswith(" "))):
        if isinstance(option, re.Match):
            last = option["name"].lower()
            options[last] = option["value"] or ""
        else:
            options[last] += f" {block[at].strip()}"
        at += 1
    return Directive(short, domain, arguments, options, block[at:])
