from __future__ import annotations

import gc

from partywall.core.memory import exempt_from_collection


def test_what_is_there_after_the_start_is_not_looked_at_again() -> None:
    exempt_from_collection()
    try:
        assert gc.get_freeze_count() > 10_000
        assert len(gc.get_objects()) < 1_000
    finally:
        gc.unfreeze()
