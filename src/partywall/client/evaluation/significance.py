"""Whether the difference of two settings on the same queries may be chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

SAMPLES: Final = 10_000
_AT_ONCE: Final = 100
_SEED: Final = 20


def p_value(differences: Sequence[float]) -> float:
    """Fisher's paired randomisation test, two-sided: how often random signs give a mean as far from 0."""
    values, generator = np.asarray(differences), np.random.default_rng(_SEED)
    observed, extreme = abs(values.mean()), 0
    for _ in range(SAMPLES // _AT_ONCE):
        signs = generator.choice((-1.0, 1.0), size=(_AT_ONCE, len(values)))
        extreme += int(np.count_nonzero(abs(signs @ values) / len(values) >= observed - 1e-12))
    return (extreme + 1) / (SAMPLES + 1)
