"""Checks a request with a body before reading it: its sender, size and route. Then reads the body once."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from fastapi.routing import RouteContext, iter_route_contexts
from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from partywall.core.errors import BadRequestError, ContentTooLargeError, UnsupportedMediaTypeError
from partywall.core.http.address_limiter import RequestSlot, request_slot_of
from partywall.core.http.body_limits import ORDINARY_BYTES, PUBLIC_BYTES, has_more_values_than, values_for
from partywall.core.http.body_memory import TURN_SECONDS, BodyMemory, CharacterWidth, memory_of
from partywall.core.http.charsets import read_form_strictly, refuse_other_charsets, refuse_wide_json
from partywall.core.http.dependencies import known_principal
from partywall.core.http.part_headers import PartHeaders
from partywall.core.http.problems import KNOWN_ERRORS, problem_for
from partywall.core.http.replayed_body import replayed, replayed_pieces, without_body
from partywall.core.http.request_head import fault_of_coding
from partywall.core.http.unread_body import discard_body
from partywall.core.resources import Resources
from partywall.core.spool import Spool, SpooledBody
from partywall.core.tenancy import Principal

# Memory of a form: its fields, and pieces of a file on disk.
_FORM_BYTES: Final = 4 * 1024 * 1024
_FORMS: Final = (b"multipart/form-data", b"application/x-www-form-urlencoded")


class UnsupportedEncodingError(UnsupportedMediaTypeError):
    """Accept-Encoding tells which encodings are accepted (RFC 7694, 3)."""

    def __init__(self) -> None:
        super().__init__("Compressed bodies are not accepted.", headers={"Accept-Encoding": "identity"})


@dataclass(frozen=True, slots=True)
class Target:
    """A route that reads bodies."""

    path: re.Pattern[str]
    methods: frozenset[str]
    public: bool
    max_bytes: int
    reads_itself: bool = False

    @classmethod
    def of(cls, route: RouteContext, public: frozenset[str], ceiling: int) -> Target:
        is_public = route.name in public
        ordinary = PUBLIC_BYTES if is_public else ORDINARY_BYTES
        assert route.path_regex is not None
        return cls(
            path=route.path_regex,
            methods=frozenset(route.methods or ()),
            public=is_public,
            max_bytes=min(route.max_body_size or ordinary, ceiling),
            reads_itself=getattr(route, "body_field", None) is None,
        )


type Targets = tuple[Target, ...]


def targets(routes: Iterable[BaseRoute], public: frozenset[str], ceiling: int) -> Targets:
    """The routes that read bodies; none accepts more than `ceiling` bytes."""
    found = (each for each in iter_route_contexts(tuple(routes)) if _reads_bodies(each))
    return tuple(Target.of(each, public, ceiling) for each in found)


def _reads_bodies(route: RouteContext) -> bool:
    """Whether it reads a body: FastAPI reads it, or the route sets `max_body_size` and reads it itself."""
    return getattr(route, "body_field", None) is not None or getattr(route, "max_body_size", None) is not None


@dataclass(frozen=True, slots=True)
class BodyHeaders:
    """What the headers say about a body."""

    headers: Mapping[bytes, bytes]

    @property
    def is_there(self) -> bool:
        return self.headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in self.headers

    @property
    def content_type(self) -> bytes:
        return self.headers.get(b"content-type", b"")

    @property
    def is_form(self) -> bool:
        return self.content_type.lower().startswith(_FORMS)

    def at_most(self, limit: int) -> int:
        """The declared size, or the limit without one; raises ContentTooLargeError."""
        declared = self.headers.get(b"content-length", b"")
        size = int(declared[:20]) if declared.isdigit() else limit
        if size > limit:
            raise too_large(limit)
        return size

    def refuse_coded(self) -> None:
        """Raises UnsupportedMediaTypeError for a compressed body or another charset."""
        refuse_other_charsets(self.content_type)
        if self.headers.get(b"content-encoding", b"identity").strip().lower() not in (b"identity", b""):
            raise UnsupportedEncodingError


def too_large(limit: int) -> ContentTooLargeError:
    return ContentTooLargeError(f"At most {limit} bytes are accepted.")


@dataclass(slots=True)
class Incoming:
    """An arriving body of at most `limit` bytes. Its slot is free for others while it is awaited."""

    receive: Receive
    slot: RequestSlot | None = None
    limit: int = 0
    whole: bool = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yields pieces as they arrive; raises ContentTooLargeError, and BadRequestError if the client disconnects."""
        seen, lent = 0, self.slot is not None and self.slot.pause()
        while not self.whole:
            message = await self.receive()
            if message["type"] != "http.request":
                raise BadRequestError("The body did not arrive.")
            piece = message.get("body", b"")
            self.whole = not message.get("more_body", False)
            seen += len(piece)
            if seen > self.limit:
                raise too_large(self.limit)
            if piece:
                yield piece
        if self.slot is not None and lent:
            await self.slot.again()


@dataclass(frozen=True, slots=True)
class AdmittedBody:
    """A request to be served once its whole body has arrived."""

    target: Target
    is_form: bool
    caller: str
    incoming: Incoming
    parts: PartHeaders

    def room(self, memory: BodyMemory, size: int, width: CharacterWidth) -> AbstractAsyncContextManager[None]:
        """Holds memory for the body. What reads a form's file as a whole asks for more."""
        if self.is_form:
            return memory.forms.take(self.caller, min(size, _FORM_BYTES), TURN_SECONDS)
        return memory.texts.take(self.caller, memory_of(size, width.bytes), TURN_SECONDS)

    def refuse_unreadable(self, body: bytes) -> None:
        """Raises for too many JSON values, or JSON that is not UTF-8 unless the route reads the body itself."""
        if not self.is_form and not self.target.reads_itself:
            refuse_wide_json(body)
        limit = values_for(self.target.max_bytes)
        if not self.is_form and has_more_values_than(limit, body):
            raise ContentTooLargeError(f"At most {limit} JSON values are accepted.")


class Admission:
    """Runs before the router, which would read a body before it authenticates the sender.

    `targets` is called at the first request, when all routes exist. Other routes never receive a body.
    """

    def __init__(self, app: ASGIApp, targets: Callable[[], Targets], spool: Spool, memory: BodyMemory) -> None:
        self._app = app
        self._targets = targets()
        self._spool = spool
        self._memory = memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        arriving = BodyHeaders(dict(reversed(scope["headers"])))
        if not arriving.is_there:
            await self._app(scope, receive, send)
            return
        fault = fault_of_coding(scope) if b"transfer-encoding" in arriving.headers else None
        if fault is not None:
            await _refuse(fault, scope, Incoming(receive), send)
            return
        target, path = self._find(scope)
        if target is None:
            discard_body(scope)
            await self._app(scope, without_body(receive), send)
            return
        incoming = Incoming(receive, request_slot_of(scope["state"]))
        try:
            caller, incoming.limit = await _admitted(target, path, scope, arriving)
        except KNOWN_ERRORS as error:
            await _refuse(error, scope, incoming, send)
            return
        if arriving.is_form:
            read_form_strictly(scope)
        parts = PartHeaders(arriving.content_type if arriving.is_form else b"")
        await self._serve(AdmittedBody(target, arriving.is_form, caller, incoming, parts), scope, send)

    def _find(self, scope: Scope) -> tuple[Target, dict[str, str]] | tuple[None, dict[str, str]]:
        for each in self._targets:
            if scope["method"] in each.methods and (match := each.path.match(scope["path"])) is not None:
                return each, match.groupdict()
        return None, {}

    async def _serve(self, taken: AdmittedBody, scope: Scope, send: Send) -> None:
        under_way = False

        async def send_releasing(message: Message) -> None:
            """Frees the body's memory and disk space when the answer begins, even for a slow client."""
            if message["type"] == "http.response.start":
                await held.aclose()
            await send(message)

        held = AsyncExitStack()
        try:
            async with held:
                replay = await self._received(taken, held)
                under_way = True
                await self._app(scope, replay, send_releasing)
        except KNOWN_ERRORS as error:
            if under_way:
                raise
            await _refuse(error, scope, taken.incoming, send)

    async def _received(self, taken: AdmittedBody, held: AsyncExitStack) -> Receive:
        """Reads and checks the whole body, and returns a Receive that replays it. Holds its space in `held`."""
        incoming, parts = taken.incoming, taken.parts
        if incoming.limit <= ORDINARY_BYTES:
            body = b"".join([piece async for piece in incoming.pieces()])
            parts.note(body)
            taken.refuse_unreadable(body)
            return replayed(body, incoming.receive)
        spooled, width = (
            await held.enter_async_context(self._spool.open(taken.caller, incoming.limit)),
            CharacterWidth(),
        )
        async for piece in incoming.pieces():
            width.note(piece)
            parts.note(piece)
            await spooled.write(piece)
        await held.enter_async_context(taken.room(self._memory, spooled.size, width))
        return await _replayed(taken, spooled)


async def _admitted(target: Target, path: Mapping[str, str], scope: Scope, arriving: BodyHeaders) -> tuple[str, int]:
    """The sender's tenant name, and the largest size of the body."""
    resources: Resources = scope["app"].state.resources
    if target.public:
        principal = None
    else:
        authorization = arriving.headers.get(b"authorization", b"").decode("latin-1")
        principal = await known_principal(resources, authorization, scope)
    arriving.refuse_coded()
    size = arriving.at_most(target.max_bytes)
    if principal is not None and size > ORDINARY_BYTES:
        await _require_member(resources, principal, path.get("project_id", ""))
    return "" if principal is None else principal.tenant.name, size


async def _require_member(resources: Resources, principal: Principal, project: str) -> None:
    """Only members may send large bodies; raises ProjectNotFoundError."""
    try:
        project_id = UUID(project)
    except ValueError as error:
        raise too_large(ORDINARY_BYTES) from error
    await resources.reader(principal).scope(project_id)


async def _refuse(error: Exception, scope: Scope, incoming: Incoming, send: Send) -> None:
    if not incoming.whole:
        discard_body(scope)
    await problem_for(Request(scope), error)(scope, incoming.receive, send)


async def _replayed(taken: AdmittedBody, spooled: SpooledBody) -> Receive:
    if taken.is_form:
        return replayed_pieces(spooled.pieces(), taken.incoming.receive)
    body = await spooled.whole()
    taken.refuse_unreadable(body)
    return replayed(body, taken.incoming.receive)
