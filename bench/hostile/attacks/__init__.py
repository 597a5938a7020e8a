"""All attacks, in the order in which they run."""

from __future__ import annotations

from typing import Final

from bench.hostile.attack import Attack
from bench.hostile.attacks import (
    accounts,
    bodies,
    connections,
    html,
    pages,
    parsers,
    protocol,
    runs,
    searches,
    several,
    streams,
    webhooks,
    writes,
)

MODULES = (
    connections,
    bodies,
    accounts,
    searches,
    streams,
    writes,
    webhooks,
    runs,
    html,
    parsers,
    several,
    protocol,
    pages,
)
ATTACKS: Final[dict[str, Attack]] = {attack.name: attack for module in MODULES for attack in module.ATTACKS}
