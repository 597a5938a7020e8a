"""The WebSocket handshake of `websockets`, with problem documents as its errors."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from websockets.datastructures import Headers
from websockets.http11 import Response
from websockets.server import ServerProtocol

from partywall.core.errors import BadRequestError, PartywallError
from partywall.core.http.bare_problem import bare_answer

_LONGEST_DETAIL: Final = 200


class BadHandshakeError(BadRequestError):
    code = "bad_handshake"
    title = "The WebSocket handshake is not valid"


class UpgradeRequiredError(PartywallError):
    status = HTTPStatus.UPGRADE_REQUIRED
    code = "upgrade_required"
    title = "This route serves only WebSockets"


class HandshakeFailedError(PartywallError):
    """The server failed."""


class Handshake(ServerProtocol):
    def reject(self, status: HTTPStatus | int, text: str) -> Response:
        """For the client's errors, the detail is the first line of `text`."""
        detail = text.partition("\n")[0][:_LONGEST_DETAIL]
        error: PartywallError
        if status == HTTPStatus.UPGRADE_REQUIRED:
            error = UpgradeRequiredError(detail)
        elif status < HTTPStatus.INTERNAL_SERVER_ERROR:
            error = BadHandshakeError(detail)
        else:
            error = HandshakeFailedError()
        headers, body = bare_answer(error)
        return Response(error.status, HTTPStatus(error.status).phrase, Headers(headers), body)
