from __future__ import annotations

from partywall.core.feature import Feature
from partywall.core.jobs.kinds import handles
from partywall.features.documents import file_router, hot_router, router
from partywall.features.documents.blobs import delete_project_blobs, release_blobs
from partywall.features.documents.jobs import RELEASE_BLOBS
from partywall.features.projects.jobs import PROJECT_DELETED

feature = Feature(
    name="documents",
    routers=(hot_router.router, file_router.router, router.router),
    jobs=(handles(RELEASE_BLOBS, release_blobs), handles(PROJECT_DELETED, delete_project_blobs)),
    events=("document.created", "document.updated", "document.deleted", "document.indexed", "document.failed"),
)
