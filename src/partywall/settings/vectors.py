from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from partywall.settings.base import MINUTE, SECOND, Section
from partywall.settings.values import Key, WebAddress

_PREFIX: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


def _prefix(value: str) -> str:
    if not _PREFIX.fullmatch(value):
        raise ValueError("must have at most 40 lower-case letters, digits and hyphens")
    return value


class VectorSettings(Section):
    """Where the nearest vectors are found: in PostgreSQL, or by Qdrant for data that outgrows one machine."""

    engine: Literal["pgvector", "qdrant"] = "pgvector"
    url: WebAddress | None = None
    api_key: Key | None = None
    collection_prefix: Annotated[str, AfterValidator(_prefix)] = "partywall"
    timeout: timedelta = Field(
        default=10 * SECOND, ge=SECOND, le=MINUTE, description="For a request to Qdrant, including retries and pauses."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.engine == "qdrant" and self.url is None:
            raise ValueError("VECTORS__ENGINE=qdrant needs VECTORS__URL")
        return self
