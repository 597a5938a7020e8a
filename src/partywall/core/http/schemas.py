"""Schemas that belong to no slice."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from partywall.core.schemas import RequestModel


class FieldProblem(BaseModel):
    """`pointer` and `code` are stable, `message` is for people."""

    pointer: str = Field(examples=["/title"])
    code: str = Field(examples=["too_long"])
    message: str


class Problem(BaseModel):
    """Problem details: `type` and `code` are stable, `detail` is for people."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[FieldProblem] | None = None
    more_errors: int | None = None


class Alive(BaseModel):
    status: Literal["alive"]


class Readiness(BaseModel):
    """`degraded`: only optional resources fail. `unavailable` comes with status 503."""

    status: Literal["ready", "degraded", "unavailable"]
    resources: dict[str, Literal["ok", "failing"]]


class SocketPing(RequestModel):
    """Any message after the first; answered with `{"type": "pong"}`."""

    type: Literal["ping"]
