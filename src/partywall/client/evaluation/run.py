"""The answers of one setting: asked through the API, or saved before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from pathlib import Path
from statistics import fmean
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from partywall.client.api import Api
from partywall.client.errors import ApiError
from partywall.client.evaluation.collection import CollectionError, Query
from partywall.client.evaluation.measures import MEASURES, Measure
from partywall.client.search import Hit, read_hits, search

LIMIT: Final = 100
MAX_CHARACTERS: Final = 1_000
"""The server takes no longer query: of one, its beginning is asked."""
_AT_ONCE: Final = 4


class Run(BaseModel):
    """`found` are the ids of documents by the query's id, best first."""

    model_config = ConfigDict(extra="ignore")

    name: str
    found: dict[str, list[str]]

    def scores(self, queries: Sequence[Query], measure: Measure) -> list[float]:
        return [measure(self.found.get(query.id, []), query.grades) for query in queries]

    def means(self, queries: Sequence[Query]) -> dict[str, float]:
        return {name: fmean(self.scores(queries, measure)) for name, measure in MEASURES.items()}


def ask(
    api: Api,
    project_id: str,
    mode: str,
    queries: Sequence[Query],
    names: Mapping[str, str],
    reached: Callable[[int], None] = lambda _: None,
) -> Run:
    """Searches for every query; calls `reached` with the number of answers. `names` has the documents' ids there."""
    found: dict[str, list[str]] = {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            answers = pool.map(partial(_documents, api, project_id, mode, names), queries)
            for query, documents in zip(queries, answers, strict=True):
                found[query.id] = documents
                reached(len(found))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return Run(name=mode, found=found)


def read_run(path: Path) -> Run:
    """Reads saved results, which get the name of their file. Raises CollectionError."""
    try:
        return Run.model_validate_json(path.read_bytes()).model_copy(update={"name": path.stem})
    except ValidationError as error:
        raise CollectionError(f"{path} has no saved results") from error


def document_of(external_id: str) -> str:
    """The id in the collection: a line of a `.jsonl` file is imported as `FILE.jsonl#ID`."""
    return external_id.rpartition(".jsonl#")[2]


def ranking(hits: Sequence[Hit], names: Mapping[str, str], grades: Mapping[str, int]) -> list[str]:
    """The documents of the hits, each once. Those with the same text are one hit: the right ones have its rank."""
    found: dict[str, None] = {}
    for hit in hits:
        same = [names.get(id_, id_) for id_ in (hit.document_id, *hit.duplicate_ids)]
        right = [document for document in same if grades.get(document, 0) > 0]
        found |= dict.fromkeys(sorted(right, key=lambda document: -grades[document]) or same[:1])
    return list(found)


def _documents(api: Api, project_id: str, mode: str, names: Mapping[str, str], query: Query) -> list[str]:
    try:
        answer = search(api, project_id, query.text.strip()[:MAX_CHARACTERS], limit=LIMIT, mode=mode)
    except ApiError as error:
        if error.status != HTTPStatus.UNPROCESSABLE_ENTITY:
            raise
        raise CollectionError(f"query {query.id!r}: {error}") from error
    return ranking(read_hits(answer).items, names, query.grades)
