"""Orders the best passages of a search again by how much of the query they have as it was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from partywall.features.search.constants import READ_FOR_PHRASES
from partywall.features.search.copies import Group


def best_passages(groups: Sequence[Group]) -> list[int]:
    """Those whose phrases are compared: so few that a larger limit changes no order further up."""
    every = sorted((passage for group in groups for passage in group.passages), key=lambda each: -each.score)
    return [each.chunk for each in every[:READ_FOR_PHRASES]]


def with_phrases(groups: Sequence[Group], shares: Mapping[int, float]) -> list[Group]:
    """The groups, and the passages of each, best first. A passage without a share is left out."""
    known = [
        [each._replace(phrase=shares[each.chunk]) for each in group.passages if each.chunk in shares]
        for group in groups
    ]
    ordered = [
        replace(group, passages=sorted(passages, key=lambda each: -each.score))
        for group, passages in zip(groups, known, strict=True)
        if passages
    ]
    return sorted(ordered, key=lambda group: -group.best.score)
