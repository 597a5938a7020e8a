"""The transport of all requests to models: like `core.outgoing.endpoints`, for Pydantic AI's HTTP library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import httpx2

from partywall.adapters.language_models.answers import Answer, ServerEvent, events_of
from partywall.adapters.language_models.refusals import log_no_answer, refusal, unmasked, without_keys
from partywall.adapters.language_models.reported_errors import with_usual_error
from partywall.core.model_failures import ModelInvalidError
from partywall.core.outgoing.circuits import CircuitOpenError, Circuits
from partywall.core.outgoing.correlation import correlation_headers
from partywall.core.outgoing.endpoints import CircuitOpenConnectError
from partywall.core.outgoing.retries import Faults, Retries, ask

# A read timeout is not retried here: the fallbacks or the run's next attempt handle it.
_FAULTS: Final = Faults(
    all=(httpx2.NetworkError, httpx2.ProtocolError, httpx2.ConnectTimeout, httpx2.ReadTimeout, httpx2.WriteTimeout),
    repeated=(httpx2.NetworkError, httpx2.ProtocolError, httpx2.ConnectTimeout),
    unreached=(httpx2.ConnectError, httpx2.ConnectTimeout),
)


# Marks a streaming request; both SDKs write JSON without spaces.
_STREAMED: Final = b'"stream":true'
_ERROR: Final = b'"error"'
_BEGINNING: Final = 2_000


class AnswerStream(httpx2.AsyncByteStream):
    """A streamed answer, validated event by event.

    Raises ModelInvalidError for an invalid answer, ReadError if the stream ends, even cleanly, before the model marks
    the end of its answer, and ReadTimeout if no event arrives for `silence` seconds, even if comments do.
    """

    def __init__(self, request: httpx2.Request, response: httpx2.Response, silence: float) -> None:
        self._request = request
        self._response = response
        self._silence = silence
        self._begins = bytearray()  # for the log, if it is not an answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        answer, begun = Answer(), False
        events = events_of(self._received())
        try:
            while (event := await self._next(events)) is not None:
                taken, begun = answer.take(self._with_usual_error(event)), True
                yield taken.encoded()
        except ModelInvalidError:
            if not begun:
                log_no_answer(self._request, bytes(self._begins))
            raise
        if not answer.complete:
            raise httpx2.ReadError("The answer broke off.")

    async def _received(self) -> AsyncIterator[bytes]:
        async for part in self._response.aiter_bytes():
            self._begins += part[: _BEGINNING - len(self._begins)]
            yield part

    def _with_usual_error(self, event: ServerEvent) -> ServerEvent:
        """The event; an error in it without our keys. Named events are Anthropic's, whose errors have one form."""
        if _ERROR not in event.data:
            return event
        data = without_keys(self._request, event.data)
        return event._replace(data=data if event.name else with_usual_error(data))

    async def _next(self, events: AsyncIterator[ServerEvent]) -> ServerEvent | None:
        try:
            async with asyncio.timeout(self._silence):
                return await anext(events, None)
        except TimeoutError as error:
            raise httpx2.ReadTimeout(f"No event for {self._silence:g} seconds.") from error

    async def aclose(self) -> None:
        await self._response.aclose()


class ModelTransport(httpx2.AsyncBaseTransport):
    """Retries requests that fail before the answer starts. Raises CircuitOpenConnectError while a circuit is open.

    `silence` is the maximum time between two events of an answer, in seconds.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport, retries: Retries, circuits: Circuits, silence: float) -> None:
        self._inner = inner
        self._silence = silence
        self._retries = retries
        self._circuits = circuits

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers.update(correlation_headers())
        circuit = self._circuits.of(f"{request.url.scheme}://{request.url.netloc.decode()}")
        try:
            response = await ask(lambda: self._send(request), circuit, self._retries, _FAULTS)
        except CircuitOpenError as error:
            raise CircuitOpenConnectError(error, request) from error
        streams = response.is_success and _STREAMED in request.content
        return self._read(request, response) if streams else response

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        """Sends the request once. Some gateways report an error with a success status and the error in the body."""
        response = await self._inner.handle_async_request(request)
        if response.is_error:
            return await refusal(request, response)
        is_json = "json" in response.headers.get("content-type", "")
        return await unmasked(request, response) if is_json and _STREAMED in request.content else response

    def _read(self, request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        """The response with a validated stream, which is neither compressed nor of the original length."""
        changed = ("content-encoding", "content-length")
        headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in changed]
        stream = AnswerStream(request, response, self._silence)
        return httpx2.Response(response.status_code, headers=headers, stream=stream, extensions=response.extensions)

    async def aclose(self) -> None:
        await self._inner.aclose()
