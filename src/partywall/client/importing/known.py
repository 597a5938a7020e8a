"""What the project holds already, by external id."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, JsonValue

from partywall.client.api import Api
from partywall.client.importing.files import Local

SOURCE_SHA256 = "source_sha256"


class Known(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: str
    external_id: str | None
    content_sha256: str
    metadata: dict[str, JsonValue]

    def same_as(self, local: Local) -> bool:
        """A page is told by the hash of its file, since the server keeps its text."""
        kept = self.content_sha256 if local.upload is None else self.metadata.get(SOURCE_SHA256)
        return kept == local.sha256


class _Page(BaseModel):
    items: list[Known]
    next_cursor: str | None


def known_documents(api: Api, project_id: str) -> dict[str, Known]:
    found: dict[str, Known] = {}
    params: dict[str, str | int] = {"limit": 100, "sort": "created_at"}
    while True:
        page = _Page.model_validate_json(api.get(f"/projects/{project_id}/documents", params))
        found |= {item.external_id: item for item in page.items if item.external_id is not None}
        if page.next_cursor is None:
            return found
        params["cursor"] = page.next_cursor


def find_known(api: Api, project_id: str, external_id: str) -> Known | None:
    page = _Page.model_validate_json(api.get(f"/projects/{project_id}/documents", {"external_id": external_id}))
    return page.items[0] if page.items else None
