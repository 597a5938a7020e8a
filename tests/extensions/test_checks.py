"""The rules of features: kept by those of this repository, and enforced on installed ones."""

from __future__ import annotations

import inspect
import sys
import typing

import pytest

from partywall.core.feature import FeatureError
from partywall.core.jobs.kinds import JobHandler
from partywall.extensions.agents import declared_agents
from partywall.extensions.checks import check_features, checked_features
from partywall.extensions.enabled import enabled_features
from partywall.features.agents.registry import registry_of
from tests.extensions.packages import FEATURE, ROUTER, Install

JOBS = [job for feature in enabled_features() for job in feature.jobs]


def test_the_features_of_this_repository_keep_the_rules() -> None:
    assert [str(problem) for problem in check_features(enabled_features())] == []


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.kind.name)
def test_a_handler_takes_the_payload_of_its_kind(job: JobHandler) -> None:
    _, payload = inspect.signature(job.run).parameters.values()
    assert typing.get_type_hints(job.run, sys.modules[job.run.__module__].__dict__)[payload.name] is job.kind.payload


def problems(install: Install, **modules: str) -> list[str]:
    install(**modules)
    return [str(problem) for problem in check_features(enabled_features(("orders",)))]


def test_a_package_that_keeps_the_rules_is_accepted(install: Install) -> None:
    assert problems(install) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"orders.read"', '"document.read"', "declares the right document.read, which is declared twice"),
        ('"orders.paid"', '"run.queued"', "declares the event run.queued, which is declared twice"),
        ('"orders.remind"', '"run_agent"', "declares the job run_agent, which is declared twice"),
        ('"orders.sweep"', '"sweep_blobs"', "declares the schedule sweep_blobs, which is declared twice"),
        ('"orders.read"', '"invoice.read"', "declares the right invoice.read: call it orders."),
        ('"orders.paid"', '"orders.Paid"', "declares the event orders.Paid: call it orders."),
        ('"orders.remind"', '"remind"', "declares the job remind: call it orders."),
        ("0 3 * * *", "0 3 * *", 'has the schedule orders.sweep at no valid time: write it as "0 3 * * *"'),
        ("orders.work:remind", "orders.work:missing", "names orders.work:missing, which cannot be imported"),
        ("orders.router:router", "orders.gone:router", "names orders.gone:router, which cannot be imported"),
        ("    routers=", "    socket_routers=", "has WebSockets or fast routes, which authenticate by themselves"),
        ('{"list_prices"}', '{"create_document"}', "lists the public route create_document, which it does not have"),
    ],
)
def test_a_declaration_that_breaks_a_rule_is_found(install: Install, old: str, new: str, said: str) -> None:
    assert FEATURE.count(old) == 1
    found = problems(install, feature=FEATURE.replace(old, new))
    assert [each for each in found if each.startswith("the feature orders ") and said in each], found


AGENTS = """
from partywall.api.agents import AgentDefinition, AgentInput

class Question(AgentInput):
    text: str

def named(name):
    return AgentDefinition(
        name=name, description="Answers.", instructions="Answer.", input=Question, output=Question,
        prompt=lambda given: given.text,
    )

AGENTS = (named("orders_explain"),)
"""


def with_agents(text: str) -> dict[str, str]:
    return {
        "feature": FEATURE.replace("    models=", '    agents=lazy("orders.agents:AGENTS"),\n    models='),
        "agents": text,
    }


def test_the_agents_of_a_package_are_found_beside_ours(install: Install) -> None:
    assert problems(install, **with_agents(AGENTS)) == []
    found = registry_of(declared_agents(enabled_features(("orders",))), ()).by_name
    assert {"answer", "orders_explain"} <= found.keys()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"orders_explain"', '"answer"', "declares the agent answer: call it orders_answer"),
        ("),)", '), named("orders_explain"))', "declares the agent orders_explain, which is declared twice"),
        ("(named(", "(str(", "names orders.agents:AGENTS, which is no sequence of AgentDefinition"),
        ("AGENTS =", "OTHERS =", "names orders.agents:AGENTS, which cannot be imported"),
    ],
)
def test_agents_that_break_a_rule_are_found(install: Install, old: str, new: str, said: str) -> None:
    found = problems(install, **with_agents(AGENTS.replace(old, new)))
    assert [each for each in found if each.startswith("the feature orders ") and said in each], found


OWN_ROUTES = f"from fastapi.routing import APIRoute\nclass Own(APIRoute): ...\n{ROUTER}".replace(
    'prefix="/orders"', 'prefix="/orders", route_class=Own'
)


@pytest.mark.parametrize(
    ("router", "said"),
    [
        (ROUTER + '\nrouter.add_route("/raw", list_orders)', "/raw without a principal: add it with get, post, put,"),
        (ROUTER + '\nrouter.mount("/app", list_orders)', "has the route /app without a principal"),
        (ROUTER.replace('get("")', 'websocket("/ws")'), "has the route /orders/ws without a principal"),
        (OWN_ROUTES, "has the route /orders/prices of the class Own, which may skip authentication: leave out r"),
        (OWN_ROUTES + "\nclass More(APIRouter): ...\nrouter = More()", "of the class More, which may skip authentic"),
        (ROUTER.replace("list_orders", "stream_events"), "has the endpoint stream_events, a name that another"),
    ],
)
def test_a_route_that_no_principal_guards_is_found(install: Install, router: str, said: str) -> None:
    assert [each for each in problems(install, router=router) if said in each]


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ('get("/projects/{id}/documents")', "has the route GET /api/v1/projects/{id}/documents, but the path is taken"),
        ('get("/projects/orders")', "but the path is taken by projects: choose another path"),
        ('delete("/projects/{project_id}/documents/{id}")', "but the path is taken by documents: choose another path"),
    ],
)
def test_a_path_that_another_route_has_is_found(install: Install, route: str, said: str) -> None:
    text = ROUTER.replace('prefix="/orders"', "").replace('get("")', route)
    [found] = [each for each in problems(install, router=text) if "taken" in each]
    assert said in found


def test_a_root_route_that_takes_requests_for_others_is_found(install: Install) -> None:
    text = ROUTER.replace('prefix="/orders"', "").replace('get("")', 'get("/{rest:path}")')
    found = problems(install, feature=FEATURE.replace("    routers=", "    root_routers="), router=text)
    assert [each.rpartition(" by ")[2] for each in found] == [
        *["core: choose another path"] * 2, *["Partywall: choose another path"] * 2,
    ]  # fmt: skip


@pytest.mark.parametrize("route", ['put("/projects/{project_id}/documents")', 'get("/projects/{id}/documents/all")'])
def test_a_path_that_only_resembles_one_of_ours_is_accepted(install: Install, route: str) -> None:
    text = ROUTER.replace('prefix="/orders"', "").replace('get("")', route)
    assert problems(install, router=text) == []


@pytest.mark.parametrize("parameter", ["{project_id}", "{project_id:uuid}"])
def test_a_public_route_opens_no_project(install: Install, parameter: str) -> None:
    text = ROUTER.replace('get("/prices")', f'get("/{parameter}/prices")')
    assert (
        "the feature orders opens a project with the public route list_prices: remove it"
        in problems(install, router=text)[0]
    )


def test_a_process_refuses_the_first_problem_in_one_line(install: Install) -> None:
    install(feature=FEATURE.replace('"orders.read"', '"read"').replace('"orders.paid"', '"paid"'))
    with pytest.raises(FeatureError, match=r"^the feature orders declares the right read: .* \(and 1 more\)$"):
        checked_features(("orders",))


def test_a_process_imports_only_its_own_code(install: Install) -> None:
    install()
    checked_features(("orders",), api=False)
    assert {"orders.work", "orders.router"} & set(sys.modules) == {"orders.work"}
