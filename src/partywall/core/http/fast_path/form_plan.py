"""The plan of a public endpoint that takes a form, for forms without repeated, escaped or unknown parameters.

The router serves all others, and its endpoint does the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from fastapi import Request
from starlette.responses import Response
from starlette.types import Scope

from partywall.core.http.dependencies import client_address
from partywall.core.http.fast_path.plan import Begun, Body, RawHeaders, Target, Work
from partywall.core.resources import Resources
from partywall.core.tenant import set_current_tenant, unauthenticated

_SHORT_FORM: Final = Body(b"application/x-www-form-urlencoded", 1024)

type Fields = Mapping[str, str]
# The client's address is computed once.
type FormAnswer = Callable[[Request, Resources, str, Fields], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class FormPlan:
    """A form with the values of `fixed` and one non-empty value for each of `names`."""

    target: Target
    fixed: Fields
    names: tuple[str, ...]
    answer: FormAnswer
    body: Body = _SHORT_FORM

    def begin(self, scope: Scope, path: Mapping[str, str], headers: RawHeaders) -> Begun | None:  # noqa: ARG002 - as Plan says
        return None if scope["query_string"] else partial(self._work, scope)

    def _work(self, scope: Scope, body: bytes) -> Work | None:
        fields = self.fields(body)
        return None if fields is None else partial(self._run, scope, fields)

    async def _run(self, scope: Scope, fields: Fields) -> Response:
        request = Request(scope)
        resources: Resources = scope["app"].state.resources
        client = client_address(request, resources)
        set_current_tenant(unauthenticated(client))
        return await self.answer(request, resources, client, fields)

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
