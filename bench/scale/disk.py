"""Bytes on disk for each passage, with the indexes."""

from __future__ import annotations

from typing import Final

from bench.results import Result
from bench.scale.data import Data

_TABLES: Final = ("posting", "embedding", "chunk", "document", "document_version", "document_value")
_SIZES: Final = "SELECT name, pg_total_relation_size(name::regclass) FROM unnest($1::text[]) AS given (name)"


async def disk(data: Data) -> Result:
    passages = sum(size * len(projects) for size, projects in data.projects.items())
    sizes = {name: size / passages for name, size in await data.database.fetch(_SIZES, list(_TABLES))}
    shown = ", ".join(f"{name} {size:,.0f}" for name, size in sizes.items())
    return Result("bytes for each passage", f"{sum(sizes.values()):,.0f} ({shown})", "none", met=True)
