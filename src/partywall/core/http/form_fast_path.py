"""Serves ordinary forms to a few public endpoints before FastAPI's general routing.

It accepts only short forms of declared length, without repeated, escaped or unknown parameters. The router serves all
others, and its endpoint does the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from partywall.core.http.address_limiter import AddressBusyError, request_slot_of
from partywall.core.http.dependencies import client_address
from partywall.core.http.problems import KNOWN_ERRORS, problem_for, problem_of
from partywall.core.http.replayed_body import is_plain, read_whole, replayed
from partywall.core.resources import Resources
from partywall.core.tenant import set_current_tenant, unauthenticated

_SHORT_BYTES: Final = 1024
_FORM: Final = b"application/x-www-form-urlencoded"

type Fields = Mapping[str, str]
# The client's address is computed once.
type Answer = Callable[[Request, Resources, str, Fields], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class FastPathForm:
    """A form to `path` with the values of `fixed` and one non-empty value for each of `names`."""

    path: str
    fixed: Fields
    names: tuple[str, ...]
    answer: Answer

    def fields(self, body: bytes) -> dict[str, str] | None:
        """The body's fields; None if the body is not such a form."""
        if not body.isascii() or b"%" in body or b"+" in body:
            return None
        pairs = [each.partition("=") for each in body.decode("ascii").split("&")]
        found = {name: value for name, _, value in pairs if value}
        wanted = len(self.fixed) + len(self.names)
        if not len(pairs) == len(found) == wanted or any(found.get(name) != v for name, v in self.fixed.items()):
            return None
        return found if all(name in found for name in self.names) else None


class FormFastPath:
    """Runs directly before the middleware that checks bodies: the bodies it reads are short."""

    def __init__(self, app: ASGIApp, forms: Sequence[FastPathForm]) -> None:
        self._app = app
        self._forms = {form.path: form for form in forms}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        form = self._forms.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if form is None or scope["query_string"] or not _has_short_form(scope):
            await self._app(scope, receive, send)
            return
        try:
            body = await read_whole(receive, request_slot_of(scope["state"]))
        except AddressBusyError as error:
            await problem_of(Request(scope), error)(scope, receive, send)
            return
        receive = receive if body is None else replayed(body, receive)
        fields = None if body is None else form.fields(body)
        if fields is None:
            await self._app(scope, receive, send)
            return
        answer = await _answer(form, scope, fields)
        await answer(scope, receive, send)


def _has_short_form(scope: Scope) -> bool:
    headers = dict(reversed(scope["headers"]))  # the first of repeated headers counts, as in the router
    return is_plain(headers, _FORM, _SHORT_BYTES)


async def _answer(form: FastPathForm, scope: Scope, fields: Fields) -> Response:
    request = Request(scope)
    resources: Resources = scope["app"].state.resources
    client = client_address(request, resources)
    set_current_tenant(unauthenticated(client))
    try:
        return await form.answer(request, resources, client, fields)
    except KNOWN_ERRORS as error:
        return problem_for(request, error)
