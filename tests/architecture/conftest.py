from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

HERE: Final = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These tests read the source and the schema; tracing would only make them slow."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("unmeasured")
