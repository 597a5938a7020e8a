"""The benchmarks of search: their own BM25, and when they end with 1."""

from __future__ import annotations

import pytest

from bench import index_speed, search_quality, search_scores, search_speed, sustained
from bench.results import exit_code
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


def test_a_benchmark_that_misses_a_target_ends_with_1() -> None:
    def quality(value: float) -> list[str]:
        return search_quality.missed("wordllama", "test", {"hybrid": {"ndcg@10": value}})

    def scores(real: float, words: float) -> list[str]:
        reached = {"real": real, "letters": 0.0, "words": words}
        return search_scores.missed("set", "hybrid", {kind: {"from_0.3": each} for kind, each in reached.items()})

    def speed(p95: float) -> list[str]:
        return search_speed.missed("wordllama", {"hybrid": {"p50_ms": 25.0, "p95_ms": p95}})

    def new(late: float) -> list[str]:
        return sustained.missed({"cpu_ms_per_document": 5.0, "all_found_after_seconds": late, "lone_p95_ms": 300})

    met = [quality(0.725), scores(0.9, 0.05), speed(60.0), index_speed.missed("wordllama", 100.0), new(5.0)]
    assert [exit_code(each) for each in met] == [0] * 5
    missed = [quality(0.724), scores(0.8, 0), scores(1, 0.1), speed(61), index_speed.missed("wordllama", 99), new(6)]
    assert [exit_code(each) for each in missed] == [1] * 6
