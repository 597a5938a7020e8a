from __future__ import annotations

import pytest

from partywall.core.jobs import dead_letter, runner
from partywall.core.jobs.store import JobStore
from partywall.core.resources import Resources


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letter, "FIRST_DELAY", dead_letter.FIRST_DELAY / 20)
    monkeypatch.setattr(runner, "RESTART_PAUSE_SECONDS", 0.1)


@pytest.fixture
def store(resources: Resources, empty_queue: None) -> JobStore:
    return JobStore(resources.reads)
