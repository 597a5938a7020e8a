"""What names a pending step: a decision is only taken for exactly what was shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from uuid import UUID

from pydantic import JsonValue


def pending_id(run_id: UUID, turn: int, calls: Sequence[JsonValue]) -> str:
    """Another one for every run, every turn and every change of the calls; the same each time that it is asked for."""
    shown = json.dumps([str(run_id), turn, list(calls)], sort_keys=True)
    return f"pending_{hashlib.sha256(shown.encode()).hexdigest()[:40]}"
