from __future__ import annotations

from partywall.core.feature import Feature
from partywall.core.jobs.kinds import handles
from partywall.core.jobs.schedules import Schedule
from partywall.features.projects import invitation_router, member_router, router
from partywall.features.projects.invitation_mail import send_invitation
from partywall.features.projects.jobs import SEND_INVITATION
from partywall.features.projects.retention import prune_invitations

feature = Feature(
    name="projects",
    routers=(router.router, member_router.router, invitation_router.router, invitation_router.accepting),
    jobs=(handles(SEND_INVITATION, send_invitation, concurrency=2),),
    schedules=(Schedule("prune_invitations", "23 3 * * *", prune_invitations),),
    events=(
        "project.created",
        "project.updated",
        "member.invited",
        "member.added",
        "member.updated",
        "member.removed",
    ),
)

__all__ = ["feature"]
