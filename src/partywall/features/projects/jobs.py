from __future__ import annotations

from typing import Final
from uuid import UUID

from partywall.core.jobs.kinds import JobKind, JobPayload


class ProjectDeleted(JobPayload):
    project_id: UUID


# What lies outside the database is cleared after the rows are gone.
PROJECT_DELETED: Final = JobKind("project_deleted", ProjectDeleted)
