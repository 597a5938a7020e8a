from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from partywall.core.schemas import Instant, ResponseModel


class Counted(ResponseModel):
    """Usage and limit; a null limit means unlimited."""

    used: int
    limit: int | None


class Monthly(Counted):
    """Usage in the current calendar month (UTC)."""

    resets_at: Instant


class Amount(ResponseModel):
    amount: str = Field(examples=["12.50"])
    currency: Literal["USD"] = "USD"


class Spending(ResponseModel):
    """Spending in the current calendar month (UTC), regardless of the project's budget.

    Models without a known price count as free.
    """

    used: Amount
    limit: Amount | None
    resets_at: Instant


class Bound(ResponseModel):
    """A limit per item; null means unlimited."""

    limit: int | None


class ProjectUsage(ResponseModel):
    """`bytes` counts the texts of all versions (each distinct text once), uploaded files, metadata and runs."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "documents": {"used": 1204, "limit": 100000},
                    "bytes": {"used": 73400320, "limit": 10737418240},
                    "passages": {"used": 15022, "limit": 2000000},
                    "versions_per_document": {"limit": 200},
                    "keys": {"used": 2, "limit": 50},
                    "webhooks": {"used": 1, "limit": 10},
                    "members": {"used": 4, "limit": 1000},
                    "runs": {"used": 310, "limit": 10000, "resets_at": "2026-12-01T00:00:00.000000Z"},
                    "spending": {
                        "used": {"amount": "3.20", "currency": "USD"},
                        "limit": {"amount": "50.00", "currency": "USD"},
                        "resets_at": "2026-12-01T00:00:00.000000Z",
                    },
                }
            ]
        }
    )

    documents: Counted
    bytes: Counted
    passages: Counted
    versions_per_document: Bound
    keys: Counted
    webhooks: Counted
    members: Counted
    runs: Monthly
    spending: Spending


class AccountUsage(ResponseModel):
    """`projects` counts the projects that the account owns."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"projects": {"used": 3, "limit": 100}}]})

    projects: Counted
