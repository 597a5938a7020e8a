"""Passages that have the query's words next to each other come before those that have them apart."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from partywall.features.search import phrase_order
from partywall.features.search.phrases import Phrases
from tests.features.search.search_workspace import SearchWorkspace

RARE = {"watering": 3.0, "red": 3.0, "big": 1.0, "house": 1.0, "E-4021": 4.0, "caf\u00e9": 2.0, "printers": 2.0}


@pytest.mark.parametrize(
    ("query", "text", "share"),
    [
        ("watering can", "A green WATERING\ncan, and a hose.", 1),
        ("watering can", "You can go on watering.", 0),
        ("watering can", "watering the can", 0),
        ("the red can of paint", "the red lake", 0.5),  # other words say nothing here, but stand beside one that does
        ("red big house", "a red, big garden", 2 / 3),  # (3 + 1) / 2 of (3 + 1) / 2 + (1 + 1) / 2
        ("red house", "red house, red house", 1),
        ("the caf\u00e9", "THE CAFE\u0301!", 1),
        ("big printers", "a big printer", 1),
        ("error E-4021", "Error: E 4021", 1),
        ("red house", "a red hou\u200bse", 1),
        ("red house", "<b>red</b>-<i>house</i>", 1),
        ("red house", "<b>red</b>&nbsp;<i>house</i>\u2026", 1),
    ],
)
def test_the_share_of_pairs_that_a_text_has(query: str, text: str, share: float) -> None:
    assert Phrases.of(query, RARE).share(text) == pytest.approx(share)


@pytest.mark.parametrize("query", ["watering", "of the", "", "\u6f22\u5b57\u6f22\u5b57"])
def test_without_neighbours_that_say_something_there_is_no_phrase(query: str) -> None:
    phrases = Phrases.of(query, RARE)
    assert (phrases.weights, phrases.share(query)) == ({}, 0)


async def found(workspace: SearchWorkspace, q: str, **params: str | int) -> list[dict[str, Any]]:
    answer = await workspace.search(q, explain="true", **params)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


@pytest.mark.parametrize("mode", ["hybrid", "text"])
async def test_a_phrase_comes_before_its_words_repeated(workspace: SearchWorkspace, mode: str) -> None:
    await workspace.index(
        await workspace.put("Week", "Monday: watering, trams, the bank. Friday: watering, the dentist, a new tyre."),
        await workspace.put("Shed", "In the shed are a rake, two spades, a hose, some gloves and a watering can."),
        await workspace.put("Kitchen", "Plates and cups."),
    )
    first, second = (await found(workspace, "watering can", mode=mode))[:2]
    assert (first["title"], second["title"]) == ("Shed", "Week")
    why, other = first["explanation"], second["explanation"]
    assert (why["phrase"], other["phrase"]) == (1, 0)
    assert why["text"]["score"] < other["text"]["score"]
    assert why["fused"] > other["fused"]


async def test_the_passage_with_the_phrase_is_shown(workspace: SearchWorkspace) -> None:
    about = "Water is cheap: watering, watering and watering again. " * 40
    shed = "In the shed are a rake, two spades, a hose, some gloves and a watering can. " * 30
    await workspace.index(await workspace.put("Garden", f"{about}\n\n{shed}"))
    [hit] = await found(workspace, "watering can", mode="text")
    assert hit["text"].startswith("In the shed")


async def test_a_larger_limit_changes_no_order_further_up(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phrase_order, "READ_FOR_PHRASES", 2)
    texts = ["Watering. " * 9, "Watering. " * 6, "A watering can and a rake, a hose, a spade, gloves."]
    await workspace.index(*[await workspace.put(f"Page {number}", text) for number, text in enumerate(texts)])
    every = [hit["title"] for hit in await found(workspace, "watering can", mode="text")]
    assert every == ["Page 0", "Page 1", "Page 2"]
    assert [hit["title"] for hit in await found(workspace, "watering can", mode="text", limit=1)] == every[:1]


async def test_phrases_are_compared_in_a_thread_without_a_connection(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    await workspace.index(await workspace.put("Shed", "A watering can."))
    seen, share = list[tuple[bool, int]](), Phrases.share

    def observed(self: Phrases, text: str) -> float:
        pool = workspace.resources.engine.pool
        seen.append((threading.current_thread() is threading.main_thread(), pool.checkedout()))  # type: ignore[attr-defined]  # a queue pool's
        return share(self, text)

    monkeypatch.setattr(Phrases, "share", observed)
    assert await workspace.titles("watering can") == ["Shed"]
    assert seen == [(False, 0)]
