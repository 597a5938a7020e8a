from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from partywall.settings.base import Section

UNLIMITED: Final = "unlimited"
LARGEST: Final = 10**15


def _unlimited(value: object) -> object:
    return None if isinstance(value, str) and value.strip().lower() == UNLIMITED else value


type Count = Annotated[Annotated[int, Field(ge=0, le=LARGEST)] | None, BeforeValidator(_unlimited)]
type AtLeastOne = Annotated[Annotated[int, Field(ge=1, le=LARGEST)] | None, BeforeValidator(_unlimited)]
type Dollars = Annotated[
    Annotated[Decimal, Field(ge=0, le=10**9, max_digits=18, decimal_places=8)] | None, BeforeValidator(_unlimited)
]


class QuotaSettings(Section):
    """What one account or project may use; `unlimited` means no limit. All processes need the same values."""

    projects: Count = Field(default=100, description="Projects one account owns.")
    documents: Count = 100_000
    bytes: Count = Field(default=10 * 1024**3, description="All versions' texts, files, metadata and runs.")
    passages: Count = 2_000_000
    versions_per_document: AtLeastOne = Field(default=200, description="The oldest are dropped.")
    keys: Count = Field(default=50, description="Active API keys.")
    webhooks: Count = 10
    members: AtLeastOne = Field(default=1_000, description="Including open invitations.")
    runs: Count = Field(default=10_000, description="Runs started in a calendar month (UTC).")
    budget: Dollars = Field(default=None, description="US dollars a month, if the project sets no budget.")
    spending: Dollars = Field(default=None, description="US dollars a month, whatever budget the project sets.")

    @property
    def limits(self) -> Mapping[str, int | Decimal | None]:
        """By the name of the quota."""
        return {name: getattr(self, name) for name in type(self).model_fields}
