"""Uploads files, and searches for what a person reads in them: whether the file is found first, and the hit's page.

`--files DIR` is described in `bench.extraction`. Run it with `python -m bench.files`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench import machine
from bench.extraction import Sample, contains, folded, samples_in
from bench.search_server import SearchServer, open_search_server

POLL_SECONDS: Final = 0.25
LONGEST_SECONDS: Final = 600.0
REFUSED: Final = {"refused": ("password_protected", "empty", "damaged", "unsupported"), "no_text": ("no_text",)}


@dataclass(slots=True)
class Totals:
    """`shared`: another document, which has the phrase as well, comes first. `repeated`: on another page, likewise."""

    counts: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)

    def note(self, sample: Sample, needle: str, page: int | None, hit: Mapping[str, object] | None, first: str) -> None:
        self.counts["needles"] += 1
        is_first = hit is not None and first == sample.file
        has_phrase = hit is not None and contains(folded(str(hit["text"])), needle)
        right = is_first and hit is not None and hit["page"] == page
        self.counts["first"] += is_first
        self.counts["shared"] += has_phrase and not is_first
        if page is not None:
            self.counts["pages"] += 1
            self.counts["right_pages"] += right
            self.counts["pages_of_shared"] += has_phrase and not is_first
            self.counts["repeated"] += has_phrase and is_first and not right
        if not right:
            found = "nothing" if hit is None else f"{first}, page {hit.get('page')}"
            self.missed.append(f"{sample.file}, page {page}: {needle!r} found in {found}")


async def upload(server: SearchServer, project: str, folder: Path, sample: Sample) -> str | None:
    """The document's id; None if the file is refused at once."""
    data = await asyncio.to_thread((folder / sample.file).read_bytes)
    answer = await server.client.post(
        f"/api/v1/projects/{project}/documents/upload",
        files={"file": (sample.file, data)},
        data={"external_id": sample.file},
    )
    assert answer.status_code in (201, 415), answer.text
    return str(answer.json()["id"]) if answer.status_code == 201 else None


async def settled(server: SearchServer, project: str, id_: str) -> dict[str, object]:
    async with asyncio.timeout(LONGEST_SECONDS):
        while True:
            answer = await server.client.get(f"/api/v1/projects/{project}/documents/{id_}")
            document: dict[str, object] = answer.json()
            if document["index_status"] != "pending":
                return document
            await asyncio.sleep(POLL_SECONDS)


async def ask(server: SearchServer, project: str, needle: str) -> dict[str, object] | None:
    query = needle.replace(" | ", " ")
    answer = await server.client.get(f"/api/v1/projects/{project}/search", params={"q": query, "limit": 1})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, object]] = answer.json()["items"]
    return items[0] if items else None


def uploaded_file(hit: Mapping[str, object] | None) -> str:
    """The name of the uploaded file; a document of an archive is `archive.zip/path`."""
    return "" if hit is None else str(hit["external_id"]).partition("/")[0]


async def run(folder: Path, samples: Sequence[Sample]) -> None:
    totals = Totals()
    async with open_search_server({}) as server:
        project = await server.project("Files")
        begun = time.perf_counter()
        ids = {each.file: await upload(server, project, folder, each) for each in samples}
        for sample in samples:
            id_ = ids[sample.file]
            document = None if id_ is None else await settled(server, project, id_)
            if sample.expect != "text":
                reason = "415" if document is None else str(document["index_error"]).partition(":")[0]
                totals.counts["refusals"] += 1
                totals.counts["right_refusals"] += reason in REFUSED[sample.expect]
        seconds = time.perf_counter() - begun
        for sample in samples:
            for needle, page in zip(sample.needles, sample.pages, strict=True):
                hit = await ask(server, project, needle)
                totals.note(sample, needle, page, hit, uploaded_file(hit))
    for line in totals.missed:
        print(line)
    facts = {"files": len(samples), "seconds": round(seconds, 1), **totals.counts}
    print(json.dumps({"benchmark": "files", **facts, "machine": machine.facts()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=Path, required=True)
    asked = parser.parse_args()
    asyncio.run(run(asked.files, samples_in(asked.files)))


if __name__ == "__main__":
    main()
