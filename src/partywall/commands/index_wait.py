"""Waits for what the server makes of imported documents."""

from __future__ import annotations

import threading

from partywall.client.api import Api
from partywall.client.document_import import IndexProgress
from partywall.commands.import_report import ImportResults
from partywall.commands.progress import open_meter


def wait_until_read(api: Api, project_id: str, results: ImportResults) -> None:
    """Waits until the documents are read and indexed, as long as there is progress, and notes those that failed."""
    pause = threading.Event().wait
    places = {each.document.id: each.place for each in results.imported if each.document.awaits_reading}
    progress = IndexProgress(api, project_id, places)
    if places:
        with open_meter("reading and indexing", len(places)) as meter:
            for done in progress.wait(pause):
                meter.reach(done)
    results.pending, results.waited = progress.pending, True
    progress.places = {each.document.id: each.place for each in results.imported}
    results.unread = list(progress.unread())
