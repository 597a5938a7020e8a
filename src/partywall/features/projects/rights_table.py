"""The table of rights for people. A test compares it with `docs/reference/roles.md`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from partywall.core.tenancy import Role
from partywall.features.projects.rights import FOR_USERS, RIGHTS, Right

HOLDERS: Final = (Role.OWNER, Role.ADMIN, Role.EDITOR, Role.VIEWER, Role.SERVICE)
YES: Final = "yes"
USERS: Final = "people"
NO: Final = "no"
ALLOWS: Final[dict[Right, str]] = {
    Right.PROJECT_READ: "see the project",
    Right.PROJECT_UPDATE: "change its name and description",
    Right.PROJECT_DELETE: "delete it and everything in it",
    Right.PROJECT_TRANSFER: "transfer it: another member becomes owner, the caller admin",
    Right.MEMBER_READ: "see the members",
    Right.MEMBER_MANAGE: "change the roles of members and remove them",
    Right.OWNER_MANAGE: "the same for owners; appoint and invite owners",
    Right.INVITATION_MANAGE: "create, see and withdraw invitations",
    Right.KEY_MANAGE: "create, see and revoke API keys",
    Right.DOCUMENT_READ: "read and search documents and their versions",
    Right.DOCUMENT_WRITE: "create, change, restore, reindex and delete documents",
    Right.EVENT_READ: "follow the project's events",
    Right.RUN_READ: "see the agents, their runs and the runs' usage",
    Right.RUN_START: "start and cancel runs of agents",
    Right.RUN_DECIDE: "approve or refuse what a run asks for",
    Right.BUDGET_MANAGE: "set the monthly budget of the project's runs",
    Right.WEBHOOK_MANAGE: "create, change and delete webhooks, see and repeat their deliveries",
}


def cell(role: Role, right: Right) -> str:
    """`people`: people with this role have the right, API keys with this role do not."""
    if right not in RIGHTS[role]:
        return NO
    return USERS if right in FOR_USERS else YES


def rows() -> Iterator[list[str]]:
    """The rows of the table, heading first."""
    yield ["right", "to", *(role.value for role in HOLDERS)]
    for right in Right:
        yield [right.value, ALLOWS[right], *(cell(role, right) for role in HOLDERS)]


def as_markdown() -> str:
    heading, *found = rows()
    lines = [heading, ["---"] * len(heading), *([f"`{right}`", *rest] for right, *rest in found)]
    return "\n".join("| " + " | ".join("" if each == NO else each for each in line) + " |" for line in lines)


def as_text() -> str:
    found = list(rows())
    widths = [max(len(row[column]) for row in found) for column in range(len(found[0]))]
    return "\n".join(
        "  ".join(("" if each == NO else each).ljust(width) for each, width in zip(row, widths, strict=True)).rstrip()
        for row in found
    )
