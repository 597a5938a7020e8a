"""What a JSON schema cannot say about positive data."""

from __future__ import annotations

import json
import os
from urllib.parse import urlencode
from uuid import uuid4

import schemathesis
from hypothesis import strategies as st
from pydantic import JsonValue
from schemathesis import Case, HookContext
from schemathesis.core.parameters import ParameterLocation

# The format allows quoted and international forms that are no address on the Internet.
schemathesis.openapi.format("email", st.from_regex(r"[a-z0-9]{1,20}@[a-z0-9]{1,20}\.com", fullmatch=True))


type AnyCase = Case

# Keeps no document, so that none is deleted by it.
FILTER: JsonValue = {"field": "metadata.none", "op": "exists", "value": True}
REAL_PROJECT = os.environ["CONTRACT_PROJECT"]
# A longer URL is refused for its length, whatever it contains.
MAX_QUERY = 15_000
PASSWORDS = {"password", "new_password"}
UNCOMMON = "unusual 7 "
# PostgreSQL writes numbers out: longer ones are refused.
SMALLEST, LARGEST, LONGEST = 1e-20, 1e21, 10**30


@schemathesis.hook
def filter_query(context: HookContext, query: dict[str, object] | None) -> bool:
    return query is None or len(urlencode(query, doseq=True)) < MAX_QUERY


@schemathesis.hook
def before_call(context: HookContext, case: AnyCase, kwargs: dict[str, object]) -> None:
    if case.meta is None:
        return
    if case.meta.phase.name.value != "stateful":
        _open_real_scope(case)
    if case.meta.generation.mode.is_positive:
        _keep_valid(case)


def _keep_valid(case: AnyCase) -> None:
    for name in list(case.headers or {}):
        # A key that repeats with another body is refused by design; other tests cover replays.
        if name.lower() == "idempotency-key":
            case.headers[name] = uuid4().hex
    # A schema cannot say that an instant must lie in the future.
    if isinstance(case.body, dict) and case.body.get("expires_at") is not None:
        case.body["expires_at"] = "2999-01-01T00:00:00Z"
    # Nor that an address may be called.
    if isinstance(case.body, dict) and isinstance(case.body.get("url"), str):
        case.body["url"] = "http://127.0.0.1:1024/"
    # The agent's own schema, shown in the catalogue, says what it takes.
    if isinstance(case.body, dict) and {"agent", "input"} <= case.body.keys():
        case.body |= {"agent": "answer", "input": {"question": "When does the supplier deliver?"}}
    # The fields and values of a filter depend on each other.
    if isinstance(case.body, dict) and isinstance(case.body.get("filter"), dict):
        case.body["filter"] = FILTER
    if case.query and isinstance(case.query.get("filter"), str):
        case.query["filter"] = json.dumps(FILTER)
    # The schema of free JSON cannot limit the length of a number that is written out.
    if isinstance(case.body, dict | list):
        case.body = _with_uncommon_passwords(_with_short_numbers(case.body))
    # A cursor is opaque: only one that the API itself has returned is valid.
    if case.query and "cursor" in case.query:
        del case.query["cursor"]


def _with_uncommon_passwords(body: JsonValue) -> JsonValue:
    """A schema cannot say which passwords are common, such as the shortest one that is generated."""
    if not isinstance(body, dict):
        return body
    given = {name: len(value) for name, value in body.items() if name in PASSWORDS and isinstance(value, str)}
    return body | {name: (UNCOMMON * length)[:length] for name, length in given.items()}


def _with_short_numbers(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {name: _with_short_numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_with_short_numbers(each) for each in value]
    if isinstance(value, float) and value and not SMALLEST <= abs(value) < LARGEST:
        return 1.5
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= LONGEST:
        return 7
    return value


def _open_real_scope(case: AnyCase) -> None:
    """So that the routes below it are exercised and not only refused. It must outlive the run."""
    path = case.meta.components.get(ParameterLocation.PATH) if case.meta is not None else None
    named = path is not None and path.mode.is_positive and "project_id" in (case.path_parameters or {})
    if named and case.operation.label != "DELETE /api/v1/projects/{project_id}":
        case.path_parameters["project_id"] = REAL_PROJECT
