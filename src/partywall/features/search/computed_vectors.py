"""Vectors to store for chunks that lacked them, each with what the model could not read of the chunk."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from partywall.core.embedders import TextVectors
from partywall.features.documents.index_queue import cleaned_note
from partywall.features.search.vectors import vector_text


class Fault(StrEnum):
    """The vector is of the chunk's beginning only; or zeros, because the model refused it or failed at it too often."""

    SHORTENED = "shortened"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ComputedVectors:
    """In the order of the chunks' `numbers`; the vectors in PostgreSQL's notation. Without faults, both are empty."""

    numbers: Sequence[int]
    vectors: Sequence[str]
    faults: Sequence[Fault | None] = ()
    messages: Sequence[str | None] = ()

    @classmethod
    def of(cls, made: TextVectors, numbers: Sequence[int], places: Collection[int]) -> ComputedVectors:
        """Those at the `places` in `made`. If the model failed there, or got to no answer, they are given up."""
        found = [_fault(made, place) for place in places]
        return cls(
            [numbers[place] for place in places],
            [vector_text(made.vectors[place]) for place in places],
            [fault for fault, _ in found],
            [message and cleaned_note(message) for _, message in found],
        )


def _fault(made: TextVectors, place: int) -> tuple[Fault | None, str | None]:
    if place in made.refused:
        return Fault.REFUSED, made.refused[place]
    if place in made.failed:
        return Fault.FAILED, made.failed[place]
    if place in made.left:
        return Fault.FAILED, made.suspected.get(place)
    return (Fault.SHORTENED if place in made.shortened else None), None
