from __future__ import annotations

from typing import Final
from uuid import UUID

from partywall.core.jobs.kinds import JobKind, JobPayload, ProjectJobPayload
from partywall.core.mail.message import ATTEMPTS


class ProjectDeleted(JobPayload):
    project_id: UUID


class SendInvitation(ProjectJobPayload):
    """`principal` is the person who invites. The token is derived again when the mail is written."""

    invitation_id: UUID


# What lies outside the database is cleared after the rows are gone.
PROJECT_DELETED: Final = JobKind("project_deleted", ProjectDeleted)
SEND_INVITATION: Final = JobKind("send_invitation", SendInvitation, max_attempts=ATTEMPTS)
