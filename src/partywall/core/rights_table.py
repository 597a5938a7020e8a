"""The table of rights for people. A test compares it with `docs/reference/roles.md`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from partywall.core.rights import Right
from partywall.core.tenancy import Role

HOLDERS: Final = (Role.OWNER, Role.ADMIN, Role.EDITOR, Role.VIEWER, Role.SERVICE)
YES: Final = "yes"
USERS: Final = "people"
NO: Final = "no"


def cell(role: Role, right: Right) -> str:
    """`people`: people with this role have the right, API keys with this role do not."""
    if role not in right.roles:
        return NO
    return USERS if right.for_people else YES


def rows(rights: Iterable[Right]) -> Iterator[list[str]]:
    """The rows of the table, heading first."""
    yield ["right", "to", *(role.value for role in HOLDERS)]
    for right in rights:
        yield [right.name, right.allows, *(cell(role, right) for role in HOLDERS)]


def as_markdown(rights: Iterable[Right]) -> str:
    heading, *found = rows(rights)
    lines = [heading, ["---"] * len(heading), *([f"`{right}`", *rest] for right, *rest in found)]
    return "\n".join("| " + " | ".join("" if each == NO else each for each in line) + " |" for line in lines)


def as_text(rights: Iterable[Right]) -> str:
    found = list(rows(rights))
    widths = [max(len(row[column]) for row in found) for column in range(len(found[0]))]
    return "\n".join(
        "  ".join(("" if each == NO else each).ljust(width) for each, width in zip(row, widths, strict=True)).rstrip()
        for row in found
    )
