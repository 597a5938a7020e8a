"""Decorators that make an endpoint take `Idempotency-Key`. They stand below the router's decorator.

The endpoint returns a `Response` and knows nothing of the key: its answer is stored in the transaction of its work.
Checks take those of the endpoint's arguments that they name.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import partial, wraps
from typing import Final

from starlette.responses import Response

from partywall.core.db.scopes import open_shared_scope
from partywall.core.db.session import AsyncSession
from partywall.core.http.dependencies import KeyedSessionDep, SessionDep
from partywall.core.http.idempotency import REPLAYED, Idempotency, IdempotencyDep
from partywall.core.idempotency.replay import Show
from partywall.core.tenancy import ProjectScope

type Endpoint = Callable[..., Awaitable[Response]]
type Check = Callable[..., Awaitable[None] | None]

_KEY: Final = "_idempotency"
_SESSION: Final = "_session"
_WITHOUT_KEY: Final = "__without_key__"


def idempotent(
    authorise: Check | None = None,
    *,
    keep: Callable[[bytes], bytes] = bytes,
    show: Callable[..., Show] | None = None,
    check_replay: Check | None = None,
) -> Callable[[Endpoint], Endpoint]:
    """For an endpoint in the request's transaction.

    `authorise` runs before a replay as well. `keep` turns a body that contains a secret into what is stored. `show`
    recreates a body that was too large to store. `check_replay` may refuse a replay, and gets it as `answer`.
    """

    def decorate(endpoint: Endpoint) -> Endpoint:
        async def once(*, _idempotency: Idempotency, _session: AsyncSession, **arguments: object) -> Response:
            await _check(authorise, arguments)
            shown = None if show is None else show(**_named(show, arguments))
            answer = await _idempotency.run(_session, partial(endpoint, **arguments), keep=keep, show=shown)
            if REPLAYED in answer.headers:
                await _check(check_replay, {**arguments, "answer": answer})
            return answer

        return _replacing(endpoint, once, {_KEY: IdempotencyDep, _SESSION: SessionDep})

    return decorate


def idempotent_write(
    authorise: Callable[[ProjectScope], None], *, show: Callable[[ProjectScope], Show]
) -> Callable[[Endpoint], Endpoint]:
    """For an endpoint that writes with its `ScopedWriter`, which opens no transaction for a request without a key."""

    def decorate(endpoint: Endpoint) -> Endpoint:
        async def once(*, _idempotency: Idempotency, _session: AsyncSession | None, **arguments: object) -> Response:
            if _session is None:
                return await endpoint(**arguments)
            scope = await open_shared_scope(_session, _idempotency.principal, _idempotency.project_id, accepting=True)
            authorise(scope)
            return await _idempotency.run(_session, partial(endpoint, **arguments), show=show(scope))

        replacing = _replacing(endpoint, once, {_KEY: IdempotencyDep, _SESSION: KeyedSessionDep})
        vars(replacing)[_WITHOUT_KEY] = endpoint
        return replacing

    return decorate


def without_key(endpoint: Endpoint) -> Endpoint:
    """The endpoint as `idempotent_write` calls it for a request without a key; any other endpoint as it is."""
    found: Endpoint = getattr(endpoint, _WITHOUT_KEY, endpoint)
    return found


async def _check(check: Check | None, arguments: Mapping[str, object]) -> None:
    if check is not None:
        result = check(**_named(check, arguments))
        if result is not None:
            await result


def _named(function: Callable[..., object], arguments: Mapping[str, object]) -> dict[str, object]:
    return {name: arguments[name] for name in inspect.signature(function).parameters}


def _replacing(endpoint: Endpoint, once: Endpoint, added: Mapping[str, object]) -> Endpoint:
    """`once` as FastAPI is to see it: the endpoint, with further dependencies."""
    signature = inspect.signature(endpoint, eval_str=True)
    further = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
        for name, annotation in added.items()
    ]
    replacing = wraps(endpoint)(once)
    vars(replacing)["__signature__"] = signature.replace(parameters=[*signature.parameters.values(), *further])
    return replacing
