"""Bodies, lists and field types of the HTTP API."""

from __future__ import annotations

from partywall.core.field_errors import FieldCode
from partywall.core.page_request import PageRequest
from partywall.core.pagination import Cursors
from partywall.core.schemas import (
    GivenInstant,
    Instant,
    JsonObject,
    Name,
    Page,
    PageQuery,
    RequestModel,
    ResponseModel,
    SortedQuery,
    Storable,
)

__all__ = [
    "Cursors",
    "FieldCode",
    "GivenInstant",
    "Instant",
    "JsonObject",
    "Name",
    "Page",
    "PageQuery",
    "PageRequest",
    "RequestModel",
    "ResponseModel",
    "SortedQuery",
    "Storable",
]
