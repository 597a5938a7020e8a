from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel
from starlette.responses import Response


def json_response(model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The model as JSON, serialised once and by Pydantic, with headers of its own."""
    return Response(
        model.model_dump_json().encode(), status, headers=dict(headers or {}), media_type="application/json"
    )


def json_bytes(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON that is already written, by the database as a rule."""
    return Response(body, status, headers=headers, media_type="application/json")
