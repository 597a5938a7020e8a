from __future__ import annotations

from typing import Final
from uuid import UUID

from partywall.core.jobs.kinds import JobKind
from partywall.core.jobs.payloads import JobPayload, ProjectJobPayload
from partywall.core.mail.message import ATTEMPTS


class ProjectDeleted(JobPayload):
    """Purge a project that is marked as deleted."""

    project_id: UUID


class ProjectLanguageChanged(ProjectJobPayload):
    """Index those documents again that depend on the project's language."""


class SendInvitation(ProjectJobPayload):
    """`principal` is the inviter. The token is derived again when the mail is rendered."""

    invitation_id: UUID


# Purges the project's data. Each attempt continues where the last one stopped.
PROJECT_DELETED: Final = JobKind("project_deleted", ProjectDeleted, max_attempts=1_000)
# Each attempt starts from the first document.
PROJECT_LANGUAGE_CHANGED: Final = JobKind("project_language_changed", ProjectLanguageChanged)
SEND_INVITATION: Final = JobKind("send_invitation", SendInvitation, max_attempts=ATTEMPTS)
