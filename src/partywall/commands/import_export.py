"""Imports what `partywall export` has written."""

from __future__ import annotations

from partywall.client.document_export import Restore, read_entries
from partywall.commands.import_report import ImportResults
from partywall.commands.index_wait import wait_until_read
from partywall.commands.progress import open_meter


def restore(restoring: Restore, results: ImportResults, *, wait: bool) -> None:
    """Without `wait`, only what does not depend on the text of an uploaded file."""
    entries = sum(1 for _ in read_entries(restoring.folder))
    with open_meter("sending", entries) as meter:
        restoring.notify = lambda counts: meter.reach(counts.done)
        restoring.run(read_entries(restoring.folder))
    if not wait or restoring.dry_run:
        return
    wait_until_read(restoring.api, restoring.project_id, results)
    restoring.run_postponed()
    ready = [(entry, document) for entry, document in restoring.unfinished if document.id not in results.pending]
    if ready or restoring.postponed:
        restoring.finish_all(ready)
        wait_until_read(restoring.api, restoring.project_id, results)
