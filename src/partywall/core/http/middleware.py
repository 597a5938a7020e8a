from __future__ import annotations

import time
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from partywall.core.http.access_log import AccessEntry, AccessLog, logged_path
from partywall.core.http.docs import PATH as DOCS_PATH
from partywall.core.http.event_stream import forget_request, open_stream
from partywall.core.http.forwarded_headers import ForwardedNotice
from partywall.core.http.problems import failure
from partywall.core.http.request_facts import begin_request, choose_request_id
from partywall.core.http.request_head import error_of
from partywall.core.http.route_template import template_of
from partywall.core.http.unread_body import CLOSING, UNREAD, end_answer

# The interactive docs set their own policy, for their scripts; all other answers are data.
_DOCS_SECURITY: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"cross-origin-resource-policy", b"same-site"),
)
_SECURITY: Final = (*_DOCS_SECURITY, (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"))


class RequestContext:
    """Adds request id and security headers, answers after a crash, and logs one access line per request.

    It checks the request's head, so that an oversized one costs no more.
    """

    def __init__(self, app: ASGIApp, access_log: AccessLog, notice: ForwardedNotice) -> None:
        self._app = app
        self._notice = notice
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = choose_request_id(next((v for k, v in scope["headers"] if k == b"x-request-id"), None))
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        begin_request(scope)
        own_id = (b"x-request-id", request_id.encode())
        security = _DOCS_SECURITY if scope["path"] == DOCS_PATH else _SECURITY
        started = time.perf_counter()
        status: int | None = None

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], own_id, *security]
                if UNREAD in state:
                    message["headers"].append(CLOSING)
            elif UNREAD in state and not message.get("more_body", False):
                await end_answer(message, scope, receive, send)
                return
            await send(message)

        self._notice(scope)
        try:
            await (error_of(scope) or self._app)(scope, receive, send_with_headers)
        except Exception as error:
            answer = failure(Request(scope), error)
            if status is not None:
                raise  # part of the answer is sent: only closing the connection is left
            await answer(scope, receive, send_with_headers)
        finally:
            if (stream := open_stream(scope)) is None:
                self._tell(scope, status, started)
            else:
                forget_request(scope)
                stream.when_over = partial(self._tell, scope, status, started)

    def _tell(self, scope: Scope, status: int | None, started: float) -> None:
        self._access_log(_entry(scope, status, time.perf_counter() - started))


def _entry(scope: Scope, status: int | None, seconds: float) -> AccessEntry:
    state = scope["state"]
    return {
        "method": scope["method"],
        "path": logged_path(scope["path"]),
        "route": template_of(scope),
        "status": status,
        "ms": round(seconds * 1000, 2),
        "principal": state.get("principal"),
        "project_id": scope.get("path_params", {}).get("project_id"),
        "request_id": state["request_id"],
    }
