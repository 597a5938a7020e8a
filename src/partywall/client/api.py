from __future__ import annotations

import itertools
import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO, Self, TypedDict, Unpack

import httpx2
from pydantic import JsonValue

from partywall.client.errors import ApiError, ClientError, Unreachable, read_problem
from partywall.client.routes import advice, open_client, unexpected_response
from partywall.formats.waiting_time import seconds_asked

TIMEOUT = httpx2.Timeout(60.0, connect=5.0)
FIRST_DELAY = 0.25
LONGEST_DELAY = 10.0
BUSY = {429, 502, 503, 504}
IN_PROGRESS = "request_in_progress"
NO_ROUTE = "route_not_found"

type Parameters = Mapping[str, str | int]
type Form = Mapping[str, str]
type Upload = Mapping[str, tuple[str, BinaryIO, str]]


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """How many seconds to retry when the server is busy or unreachable. `waiting` is called before each wait."""

    seconds: float = 3.0
    waiting: Callable[[str, float], None] = field(default=lambda _reason, _delay: None)


class _Options(TypedDict, total=False):
    params: Parameters | None
    json: JsonValue
    data: Form
    files: Upload
    headers: Form


class _TryAgain(Exception):
    def __init__(self, failure: ApiError | Unreachable, after: float = 0.0) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.after = after


class Api:
    """Requests to one server, from any thread. A retry of `create` or `upload` has the same Idempotency-Key."""

    def __init__(self, server: str, auth: httpx2.Auth | None = None, retry_budget: RetryBudget | None = None) -> None:
        self.server = server
        self._retry_budget = retry_budget or RetryBudget()
        self._client = open_client(server, auth, TIMEOUT)
        self._stopped = threading.Event()

    def stop_retries(self) -> None:
        """Ends the waiting of all threads: their requests fail."""
        self._stopped.set()

    def allow_retries(self) -> None:
        self._stopped.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, path: str, params: Parameters | None = None) -> bytes:
        return self._send("GET", path, params=params)

    def create(self, path: str, body: JsonValue) -> bytes:
        """A POST that takes effect once, even if it is retried."""
        return self._send("POST", path, json=body, headers={"Idempotency-Key": secrets.token_hex(16)})

    def upload(self, path: str, form: Form, files: Upload) -> bytes:
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        return self._send("POST", path, data=form, files=files, headers=headers)

    def submit(self, path: str, form: Form) -> bytes:
        return self._send("POST", path, data=form)

    def post(self, path: str, body: JsonValue) -> bytes:
        return self._send("POST", path, json=body)

    def patch(self, path: str, body: JsonValue) -> bytes:
        return self._send("PATCH", path, json=body)

    def delete(self, path: str) -> None:
        self._send("DELETE", path)

    def stream(self, path: str, params: Parameters, headers: Form, timeout: httpx2.Timeout) -> httpx2.Response:
        """Returns an open response; the caller reads and closes it."""
        request = self._client.build_request("GET", path, params=params, headers=dict(headers), timeout=timeout)
        try:
            response = self._client.send(request, stream=True)
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error
        if response.is_success:
            return response
        response.read()
        response.close()
        raise self._failure(response)

    def download(self, path: str, params: Parameters, target: BinaryIO) -> httpx2.Headers:
        """Writes the body to `target`, piece by piece, and returns the headers of the response."""
        return self._retry(lambda: self._download(path, params, target))

    def _send(self, method: str, path: str, **options: Unpack[_Options]) -> bytes:
        return self._retry(lambda: self._attempt(method, path, **options))

    def _retry[Result](self, attempt: Callable[[], Result]) -> Result:
        deadline = time.monotonic() + self._retry_budget.seconds
        for number in itertools.count():
            try:
                return attempt()
            except _TryAgain as again:
                delay = max(_backoff(number), again.after)
                if time.monotonic() + delay > deadline:
                    raise again.failure from again
                self._retry_budget.waiting(str(again.failure), delay)
                if self._stopped.wait(delay):
                    raise again.failure from again
        raise AssertionError("unreachable")

    def _attempt(self, method: str, path: str, **options: Unpack[_Options]) -> bytes:
        try:
            response = self._client.request(method, path, **options)
        except httpx2.TransportError as error:
            raise _TryAgain(self._unreachable(error)) from error
        except httpx2.InvalidURL as error:
            raise ClientError("the request is too long: shorten it") from error
        if response.is_success and (not response.content or _is_json(response)):
            return response.content
        raise self._refusal(response)

    def _download(self, path: str, params: Parameters, target: BinaryIO) -> httpx2.Headers:
        target.seek(0)
        target.truncate()
        try:
            with self._client.stream("GET", path, params=params) as response:
                if not response.is_success:
                    response.read()
                    raise self._refusal(response)
                target.writelines(response.iter_bytes())
                return response.headers
        except httpx2.TransportError as error:
            raise _TryAgain(self._unreachable(error)) from error

    def _refusal(self, response: httpx2.Response) -> ApiError | _TryAgain:
        failure = self._failure(response)
        is_passing = response.status_code in BUSY or failure.code == IN_PROGRESS
        return _TryAgain(failure, _retry_after(response)) if is_passing else failure

    def _failure(self, response: httpx2.Response) -> ApiError:
        problem = read_problem(response.content)
        if problem.code in ("", NO_ROUTE) and not problem.error:
            return unexpected_response(self.server, response)
        return ApiError(response.status_code, problem)

    def _unreachable(self, error: httpx2.TransportError) -> Unreachable:
        return Unreachable(f"cannot reach {self.server}: {reason(error)}{advice(self.server)}")


def _is_json(response: httpx2.Response) -> bool:
    kind: str = response.headers.get("Content-Type", "")
    return kind.partition(";")[0].strip() == "application/json"


def _backoff(attempt: int) -> float:
    """Seconds to wait before a further attempt. The client, which may move to a package of its own, has no core."""
    return float(min(FIRST_DELAY * 2 ** min(attempt, 10), LONGEST_DELAY)) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret  # nosec B311


def reason(error: httpx2.TransportError) -> str:
    match error:
        case httpx2.ConnectTimeout() | httpx2.ReadTimeout() | httpx2.WriteTimeout() | httpx2.PoolTimeout():
            return "timed out"
        case httpx2.ConnectError() if "wrong_version_number" in str(error).lower():
            return "the server does not use TLS: use http:// instead of https://"
        case httpx2.ConnectError():
            return str(error).removeprefix("[Errno 111] ").lower() or "connection refused"
        case _:
            return str(error).rstrip(".").lower() or type(error).__name__


def _retry_after(response: httpx2.Response) -> float:
    return seconds_asked(response.headers, None) or 0.0
