"""Compares what COPY has written of a small project with what the product writes for the same documents."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from bench.results import Result
from bench.scale.data import Data
from bench.scale.fill import metadata
from bench.scale.texts import texts_of

# Without ids, moments and authors. Vectors are compared below: sums of floats depend on their order.
_DOCUMENT: Final = "JOIN document AS d ON d.project_id = t.project_id AND d.id = t.document_id"
_CHUNK: Final = "JOIN chunk AS c ON c.project_id = t.project_id AND c.number = t.chunk " + _DOCUMENT.replace("t.", "c.")
_JOINS: Final = {"document": _DOCUMENT, "chunk": _CHUNK}
_ROWS: Final = {
    "documents": """
        SELECT title, content, metadata, status, index_status, index_error, chunks, media_type, size, content_sha256,
            external_id, revision, state, version, original_key, unread_title, history_bytes, deleted_at, purging
        FROM document AS t WHERE project_id = $1
    """,
    "versions": """
        SELECT d.content_sha256, t.number, t.title, t.size FROM document_version AS t {document}
        WHERE t.project_id = $1
    """,
    "values": "SELECT d.content_sha256, name, value FROM document_value AS t {document} WHERE t.project_id = $1",
    "passages": """
        SELECT d.content_sha256, first, last, length, configuration, context, text, page, section, staged_for,
            text_hash, passage_hash, begins
        FROM chunk AS t {document} WHERE t.project_id = $1
    """,
    "postings": """
        SELECT d.content_sha256, t.term, t.frequency, t.length FROM posting AS t {chunk} WHERE t.project_id = $1
    """,
    "flags of vectors": """
        SELECT d.content_sha256, t.dimension, t.external, t.approximate, t.fault FROM embedding AS t {chunk}
        WHERE t.project_id = $1
    """,
    "statistics": "SELECT chunks, terms, configurations FROM search_statistic WHERE project_id = $1",
    "indexes": "SELECT model, dimension, status, external, approximate FROM search_index WHERE project_id = $1",
    "usage": "SELECT sum(documents), sum(bytes) FROM project_usage WHERE project_id = $1",
}
_VECTORS: Final = """
WITH known AS (
    SELECT t.project_id, d.content_sha256, t.embedding FROM embedding AS t {chunk} WHERE t.project_id IN ($1, $2)
)
SELECT coalesce(max(one.embedding <-> other.embedding), 1) FROM known AS one
JOIN known AS other USING (content_sha256) WHERE one.project_id = $1 AND other.project_id = $2
"""
_FURTHEST: Final = 0.001


async def verify(data: Data) -> Result:
    size, [copied, *_] = min(data.projects.items())
    written = await _written(data, copied, size)
    differing = []
    for name, query in _ROWS.items():
        found = [await data.database.fetch(query.format(**_JOINS), project) for project in (copied, written)]
        one, other = (sorted(map(repr, rows)) for rows in found)
        if one != other or not one:
            differing.append(name)
    if await data.database.fetchval(_VECTORS.format(**_JOINS), copied, written) > _FURTHEST:
        differing.append("vectors")
    return Result("rows of COPY and of the product", ", ".join(differing) or "equal", "equal", not differing)


async def _written(data: Data, copied: UUID, size: int) -> UUID:
    """A project with the same documents, created and indexed by the product."""
    [texts] = texts_of(data.language, data.places[copied], size)
    project = await data.server.project("written by the product")
    documents = [
        {"title": title, "content": body, "metadata": metadata(number)}
        for number, (title, body) in enumerate(zip(texts.titles, texts.bodies, strict=True))
    ]
    path = f"/api/v1/projects/{project}/documents/batch"
    answer = await data.server.client.post(path, json={"documents": documents})
    assert answer.status_code == 201, answer.text
    await data.server.indexed(project, size)
    return UUID(project)
