from __future__ import annotations

from partywall.core.jobs.kinds import handles
from partywall.core.jobs.schedules import Schedule
from partywall.core.jobs.work import Work
from partywall.features.documents.blobs import release_blobs, sweep_blobs
from partywall.features.documents.jobs import PURGE_DOCUMENT, RELEASE_BLOBS
from partywall.features.documents.purge import purge_document, sweep_documents

work = Work(
    jobs=(handles(RELEASE_BLOBS, release_blobs), handles(PURGE_DOCUMENT, purge_document)),
    schedules=(
        Schedule("sweep_deleted_documents", "* * * * *", sweep_documents),
        Schedule("sweep_blobs", "53 2 * * *", sweep_blobs),
    ),
)
