"""Declares routes of the fast path. The decorators stand directly below the router's decorator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import BaseRoute

from partywall.core.http.fast_path.endpoint_plan import EndpointPlan
from partywall.core.http.fast_path.form_plan import FormAnswer, FormPlan
from partywall.core.http.fast_path.plan import Plan, Target

type PlanOf = Callable[[RouteContext], Plan]

_DECLARED: Final = "__fast_path__"


def fast[E: Callable[..., object]](endpoint: E) -> E:
    """The fast path calls this endpoint itself, with the arguments that its signature names."""
    return _declare(endpoint, EndpointPlan.of)


def fast_form[E: Callable[..., object]](
    answer: FormAnswer, *, fixed: dict[str, str], names: Sequence[str]
) -> Callable[[E], E]:
    """`answer` serves short forms with the values of `fixed` and one non-empty value for each of `names`."""

    def plan_of(route: RouteContext) -> Plan:
        return FormPlan(Target.of(route), fixed, tuple(names), answer)

    return lambda endpoint: _declare(endpoint, plan_of)


def _declare[E: Callable[..., object]](endpoint: E, plan_of: PlanOf) -> E:
    vars(endpoint)[_DECLARED] = plan_of
    return endpoint


def is_fast(endpoint: object) -> bool:
    return hasattr(endpoint, _DECLARED)


def fast_path_plans(routes: Sequence[BaseRoute]) -> tuple[Plan, ...]:
    """Raises TypeError for a route that the fast path cannot serve."""
    found: list[Plan] = []
    for each in iter_route_contexts(routes):
        plan_of: PlanOf | None = getattr(each.endpoint, _DECLARED, None)
        if plan_of is not None:
            found.append(plan_of(each))
    return tuple(found)
