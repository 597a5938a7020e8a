"""The benchmarks' own BM25, with which `bench.scale` measures what a search by word finds."""

from __future__ import annotations

import pytest

from bench.scale.exact import best_by_word
from tests.features.search.search_workspace import SearchWorkspace


async def test_the_reference_scores_as_the_product_does(workspace: SearchWorkspace) -> None:
    """`apple` is weak in two passages, where only a heading below the title has it; the lengths differ."""
    texts = (
        "apple pie with apple sauce",
        "an apple",
        "# Guide\n\n## Apple\n\nplums and many other kinds of fruit of the garden",
        "# Other guide\n\n## Apple\n\ncherries",
        "nothing of this kind",
    )
    documents = [await workspace.put(str(at), text, media_type="text/markdown") for at, text in enumerate(texts)]
    await workspace.index(*documents)
    answer = await workspace.search("apple cherries", mode="text", explain="true")
    product = {hit["chunk_id"]: hit["explanation"]["text"]["score"] for hit in answer.json()["items"]}
    rows = await workspace.users.fetch(best_by_word(), workspace.project, "apple cherries", None, None)
    assert len(rows) == 4
    assert {str(row["id"]): row["score"] for row in rows} == pytest.approx(product)
    weak = "SELECT count(*) FROM posting WHERE project_id = $1 AND frequency = 0 AND term = 'appl'"
    assert await workspace.value(weak, workspace.project) == 2
