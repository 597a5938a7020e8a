from __future__ import annotations

from partywall.core.jobs.kinds import handles
from partywall.core.jobs.work import Work
from partywall.features.documents.blobs import delete_project_blobs, release_blobs
from partywall.features.documents.jobs import RELEASE_BLOBS
from partywall.features.projects.jobs import PROJECT_DELETED

work = Work(
    jobs=(handles(RELEASE_BLOBS, release_blobs), handles(PROJECT_DELETED, delete_project_blobs)),
)
