from __future__ import annotations

import numpy as np
import orjson

from partywall.core.embedders import Vectors


def vector_text(vector: Vectors) -> str:
    """One vector in PostgreSQL's notation: `[0.1,0.2]`."""
    return orjson.dumps(np.ascontiguousarray(vector), option=orjson.OPT_SERIALIZE_NUMPY).decode()
