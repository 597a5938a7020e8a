"""The features of this repository. Each says in its `feature.py` what it contributes.

They are imported when `FEATURES` is first used, because a text process imports modules of one feature only, and has to
start quickly.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from partywall.core.feature import Feature

    FEATURES: Final[tuple[Feature, ...]] = ()

# A feature may import only those before it.
_ORDER: Final = (
    "accounts",
    "projects",
    "quotas",
    "api_keys",
    "live",
    "webhooks",
    "documents",
    "search",
    "agents",
    "budgets",
    "runs",
    "mcp",
)


@cache
def _features() -> tuple[Feature, ...]:
    return tuple(import_module(f"{__name__}.{name}.feature").feature for name in _ORDER)


def __getattr__(name: str) -> tuple[Feature, ...]:
    if name != "FEATURES":
        raise AttributeError(name)
    return _features()
