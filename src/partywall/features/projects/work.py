from __future__ import annotations

from partywall.core.jobs.kinds import handles
from partywall.core.jobs.schedules import Schedule
from partywall.core.jobs.work import Work
from partywall.features.projects.invitation_mail import send_invitation
from partywall.features.projects.jobs import PROJECT_DELETED, SEND_INVITATION
from partywall.features.projects.purge import purge_project, sweep_projects
from partywall.features.projects.retention import prune_invitations

work = Work(
    jobs=(handles(SEND_INVITATION, send_invitation, concurrency=2), handles(PROJECT_DELETED, purge_project)),
    schedules=(
        Schedule("prune_invitations", "23 3 * * *", prune_invitations),
        Schedule("sweep_deleted_projects", "* * * * *", sweep_projects),
    ),
)
