"""The id of a pending step: a decision applies only to exactly the calls that were shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from uuid import UUID

from pydantic import JsonValue


def pending_id(run_id: UUID, turn: int, calls: Sequence[JsonValue]) -> str:
    """Deterministic, and different for every run, turn and list of calls."""
    shown = json.dumps([str(run_id), turn, list(calls)], sort_keys=True)
    return f"pending_{hashlib.sha256(shown.encode()).hexdigest()[:40]}"
