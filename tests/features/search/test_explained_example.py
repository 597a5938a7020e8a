"""The example in docs/explanation/search.md is what a search answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.features.search.search_workspace import SearchWorkspace

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "search.md"
DOCUMENTS = {
    "Refund policy": "Our refunds reach you within ten days.",
    "Parcels": "A late parcel is sent again, free of charge.",
    "Animals": "The cat sleeps on the warm roof.",
}


async def test_the_example_of_the_page_is_true(workspace: SearchWorkspace) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"{title}: {text}" in page.replace("\n", " ") for title, text in DOCUMENTS.items())
    await workspace.index(*[await workspace.put(title, text) for title, text in DOCUMENTS.items()])
    shown = [_row(hit) for hit in (await workspace.search("late parcel refunds", explain="true")).json()["items"]]
    assert shown == [line for line in page.splitlines() if line.startswith(tuple(f"| {each} |" for each in DOCUMENTS))]
    scale = await workspace.resources.similarities.of(workspace.resources.embedders.current)
    assert scale is not None
    assert f"count\nfrom {scale.unrelated:.2f} to {scale.alike:.2f}, so" in page


def _row(hit: dict[str, Any]) -> str:
    why = hit["explanation"]
    words = ["-", "-"] if why["text"] is None else [f"{why['text'][name]:.2f}" for name in ("score", "share")]
    numbers = [f"{each:.2f}" for each in (why["phrase"], why["vector"]["score"], why["fused"], hit["score"])]
    return f"| {' | '.join([hit['title'], *words, *numbers])} |"
