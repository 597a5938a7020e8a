"""Routes of RFC 6749: FastAPI's validation errors become `invalid_request` instead of 422."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from typing import ClassVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from partywall.core.errors import BadRequestError, PartywallError
from partywall.core.http.charsets import escaped
from partywall.core.http.replayed_body import replayed
from partywall.core.http.request_head import fault_of_query

type Handler = Callable[[Request], Coroutine[object, object, Response]]

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_BAD_REQUEST = BadRequestError.status


class OAuthRoute(APIRoute):
    """The `route_class` of OAuth routes; subclasses set the RFC 6749 error for a malformed form."""

    malformed: ClassVar[type[PartywallError]] = BadRequestError

    def get_route_handler(self) -> Handler:
        general = super().get_route_handler()

        async def handle(request: Request) -> Response:
            body = await request.body()
            if fault_of_query(body) is not None:  # a form has the syntax of a query
                raise self.malformed
            if body and not request.headers.get("content-type", "").lower().startswith(_FORMS):
                raise self.malformed("Send the parameters as a form: application/x-www-form-urlencoded.")
            if not body.isascii() and not is_multipart(request):
                request = Request(request.scope, replayed(escaped(body), request.receive))
            try:
                return await general(request)
            except RequestValidationError as error:
                raise self.malformed from error
            except HTTPException as error:
                if error.status_code == _BAD_REQUEST:
                    raise self.malformed from error
                raise

        return handle


def is_multipart(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/")


async def repeated_parameters(request: Request) -> list[str]:
    """The names of repeated form parameters, which RFC 6749 forbids."""
    form = await request.form()
    return [name for name, times in Counter(name for name, _ in form.multi_items()).items() if times > 1]
