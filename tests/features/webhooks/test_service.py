from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from partywall.core.db.scopes import open_scope
from partywall.core.errors import InvalidInputError, MissingRightError
from partywall.core.resources import Resources
from partywall.features.webhooks.constants import PURPOSE
from partywall.features.webhooks.exceptions import WebhookNotFoundError
from partywall.features.webhooks.schemas import WebhookCreate, WebhookPatch
from partywall.features.webhooks.service import WebhookService
from partywall.testing.users import Person
from tests.features.webhooks.webhook_workspace import WebhookWorkspace

WANTED = WebhookCreate(url="https://example.com/one", types=["document.*"], description="One")


@asynccontextmanager
async def serving(
    resources: Resources, workspace: WebhookWorkspace, person: Person | None = None
) -> AsyncIterator[WebhookService]:
    principal = (person or workspace.owner).principal
    async with resources.sessions.begin() as session:
        scope = await open_scope(session, principal, workspace.project)
        yield WebhookService(session, scope, resources.secrets.box(PURPOSE))


async def test_a_patch_keeps_other_fields_and_an_empty_one_changes_nothing(
    resources: Resources, workspace: WebhookWorkspace
) -> None:
    async with serving(resources, workspace) as webhooks:
        made = (await webhooks.create(WANTED, None)).webhook
        same = await webhooks.update(made.id, WebhookPatch())
        all_types = await webhooks.update(made.id, WebhookPatch(types=None))
    assert same.revision == 1
    assert all_types.revision == 2
    assert (all_types.webhook.url, all_types.webhook.types, all_types.webhook.description) == (
        "https://example.com/one", None, "One",
    )  # fmt: skip


async def test_a_new_secret_is_another_and_is_shown_this_once(
    resources: Resources, workspace: WebhookWorkspace
) -> None:
    async with serving(resources, workspace) as webhooks:
        made = (await webhooks.create(WANTED, None)).webhook
        rotated = (await webhooks.rotate(made.id)).webhook
        shown = (await webhooks.update(made.id, WebhookPatch())).webhook
    assert made.secret is not None
    assert rotated.secret is not None
    assert made.secret != rotated.secret
    assert "secret" not in shown.model_dump()


async def test_an_address_that_is_not_allowed_is_refused_and_not_stored(
    resources: Resources, workspace: WebhookWorkspace
) -> None:
    async with serving(resources, workspace) as webhooks:
        with pytest.raises(InvalidInputError, match="no such host"):
            await webhooks.create(WANTED, "no such host")
        made, patch = (await webhooks.create(WANTED, None)).webhook, WebhookPatch(url="https://example.com/two")
        with pytest.raises(InvalidInputError, match="no such host"):
            await webhooks.update(made.id, patch, url_error="no such host")
        with pytest.raises(WebhookNotFoundError):  # existence is checked before the URL
            await webhooks.update(uuid4(), patch, url_error="no such host")
    assert [row["url"] for row in await workspace.users.fetch(
        "SELECT url FROM webhook WHERE project_id = $1", workspace.project
    )] == ["https://example.com/one"]  # fmt: skip


async def test_an_editor_makes_none(resources: Resources, workspace: WebhookWorkspace) -> None:
    editor = await workspace.users.person()
    await workspace.users.join(workspace.project, editor, "editor")
    async with serving(resources, workspace, editor) as webhooks:
        with pytest.raises(MissingRightError):
            await webhooks.create(WANTED, "no such host")
