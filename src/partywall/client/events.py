from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx2
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from partywall.client import sse
from partywall.client.api import Api, reason
from partywall.client.errors import ApiError, Unreachable

FIRST_DELAY = 0.5
LONGEST_DELAY = 15.0
PING_SECONDS = 15.0
QUIET_SECONDS = 2.0
RETRYABLE = {429, 502, 503, 504}
RECONNECT = "reconnect"

type Waiting = Callable[[str, float], None]


class Subject(BaseModel):
    model_config = ConfigDict(extra="ignore")

    kind: str
    id: str


class Event(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: int | str
    type: str
    at: str
    actor: str | None = None
    subject: Subject | None = None
    data: dict[str, JsonValue] = {}


def read_event(raw: sse.ServerEvent) -> Event | None:
    """Returns None for a message that is not an event of the log, such as `reset`."""
    try:
        return Event.model_validate_json(raw.data)
    except ValidationError:
        return None


def follow(
    api: Api, project_id: str, after: str | None, types: str | None, waiting: Waiting
) -> Iterator[sse.ServerEvent]:
    """Yields new events, or all after `after`, without gaps. Reconnects and resumes when the connection ends."""
    delay = FIRST_DELAY
    while True:
        said: str | None = "the stream ended"
        try:
            for event in _connection(api, project_id, after, types, PING_SECONDS * 3):
                delay = FIRST_DELAY
                after = event.id or after
                if event.type == RECONNECT:
                    said = None
                elif event.data:
                    yield event
        except Unreachable as error:
            said = str(error)
        except httpx2.TransportError as error:
            said = f"the connection broke: {reason(error)}"
        except ApiError as error:
            if error.status not in RETRYABLE:
                raise
            said = str(error)
        if said is not None:
            waiting(said, delay)
        time.sleep(delay)  # noqa: TID251 - the command has one thread
        delay = min(delay * 2, LONGEST_DELAY)


def stored(api: Api, project_id: str, after: str, types: str | None) -> Iterator[sse.ServerEvent]:
    """Yields the stored events after `after`; ends when the stream is silent for `QUIET_SECONDS`."""
    try:
        for event in _connection(api, project_id, after, types, QUIET_SECONDS):
            if event.data and event.type != RECONNECT:
                yield event
    except httpx2.ReadTimeout:
        return
    except httpx2.TransportError as error:
        raise Unreachable(f"the connection broke: {reason(error)}") from error


def _connection(
    api: Api, project_id: str, after: str | None, types: str | None, silence: float
) -> Iterator[sse.ServerEvent]:
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": after} if after else {})
    params: dict[str, str | int] = {"types": types} if types else {}
    timeout = httpx2.Timeout(10.0, read=silence)
    response = api.stream(f"/projects/{project_id}/events", params, headers, timeout)
    try:
        yield from sse.parse(sse.lines(response.iter_bytes()))
    finally:
        response.close()
