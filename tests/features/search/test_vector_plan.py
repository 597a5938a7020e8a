from __future__ import annotations

from partywall.features.search.vector_plan import uses_index


def test_a_small_project_compares_with_every_vector() -> None:
    assert not uses_index(500, 500)
    assert not uses_index(0, 0)


def test_a_large_project_with_a_large_share_uses_the_index() -> None:
    assert uses_index(400_000, 600_000)
    assert not uses_index(200_000, 300_000)


def test_a_small_share_of_a_huge_index_does_not() -> None:
    """The index would visit a hundred vectors of other projects for each of this one."""
    assert not uses_index(300_000, 30_000_000)


def test_fewer_candidates_cost_the_index_less() -> None:
    assert not uses_index(300_000, 24_000_000, 200)
    assert uses_index(300_000, 12_000_000, 100)
