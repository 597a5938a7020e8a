from __future__ import annotations

from typing import Final

from partywall.core.events.types import EventType
from partywall.core.feature import Feature, Tag
from partywall.core.jobs.kinds import handles
from partywall.core.jobs.schedules import Schedule
from partywall.core.lazy import lazy
from partywall.features.projects import rights
from partywall.features.projects.jobs import PROJECT_DELETED, SEND_INVITATION

feature: Final = Feature(
    name="projects",
    tags=(
        Tag("projects", "Projects that the caller is a member of."),
        Tag("members", "A project's members, their roles, and invitations."),
    ),
    routers=(
        lazy("partywall.features.projects.router:router"),
        lazy("partywall.features.projects.member_router:router"),
        lazy("partywall.features.projects.invitation_router:router"),
        lazy("partywall.features.projects.invitation_router:accepting"),
    ),
    rights=(
        rights.PROJECT_READ,
        rights.PROJECT_UPDATE,
        rights.PROJECT_DELETE,
        rights.PROJECT_TRANSFER,
        rights.MEMBER_READ,
        rights.MEMBER_MANAGE,
        rights.OWNER_MANAGE,
        rights.INVITATION_MANAGE,
    ),
    events=(
        EventType("project.created", "project"),
        EventType("project.updated", "project"),
        EventType("member.invited", "invitation"),
        EventType("member.added", "member"),
        EventType("member.updated", "member"),
        EventType("member.removed", "member"),
    ),
    jobs=(
        handles(SEND_INVITATION, lazy("partywall.features.projects.invitation_mail:send_invitation"), concurrency=2),
        handles(PROJECT_DELETED, lazy("partywall.features.projects.purge:purge_project")),
    ),
    schedules=(
        Schedule("prune_invitations", "23 3 * * *", lazy("partywall.features.projects.retention:prune_invitations")),
        Schedule("sweep_deleted_projects", "* * * * * 5", lazy("partywall.features.projects.purge:sweep_projects")),
    ),
    models=lazy("partywall.features.projects.models"),
)
