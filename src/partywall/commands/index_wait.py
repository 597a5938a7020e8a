"""Waits for what the server makes of imported documents."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import MappingProxyType

from partywall.client.api import Api
from partywall.client.document_import import IndexProgress
from partywall.commands.import_report import ImportResults
from partywall.commands.progress import open_meter


def wait_until_read(
    api: Api, project_id: str, results: ImportResults, others: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Waits until the documents are read and indexed, as long as there is progress, and notes those that failed.

    `others` are more documents to wait for: by id, where the user finds them.
    """
    pause = threading.Event().wait
    places = {each.document.id: each.place for each in results.imported if each.document.awaits_reading} | dict(others)
    progress = IndexProgress(api, project_id, places)
    if places:
        with open_meter("reading and indexing", len(places)) as meter:
            for done in progress.wait(pause):
                meter.reach(done)
    results.pending, results.waited = progress.pending - others.keys(), True
    progress.places = {each.document.id: each.place for each in results.imported}
    results.unread = list(progress.unread())
