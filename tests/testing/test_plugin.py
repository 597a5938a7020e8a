"""The plugin in a package of somebody else: its tests find each fault, and name nothing that is sound."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from dataclasses import asdict
from importlib.metadata import distribution
from pathlib import Path

from partywall.testing.engines import APART, Urls
from tests.testing import parcels

ROUTES = "/api/v1/projects/{project_id}/parcels"
TOOLS = "/api/v1/projects/{project_id}/mcp"
ADVICE = "compare project_id with the scope's in its query"
BOUND = "project_id = ( SELECT wall.current_project())"
FOUND = {
    "test_every_query_names_its_project": [
        f"GET {ROUTES}/labels/all forgets the project filter; the database stopped it: {ADVICE}",
        f"POST {TOOLS}/parcels_peek forgets the project filter; the database stopped it: {ADVICE}",
    ],
    "test_no_request_reaches_another_project": [
        f"GET {ROUTES}/stamps/all lets a caller reach another project's data",
        f"POST {TOOLS}/parcels_lift answers with a server error, which shows nothing of another project: correct it",
    ],
    "test_viewers_change_nothing": [
        f"POST {ROUTES}/seals lets a viewer change something: require a right, or list it in partywall_viewers_may",
    ],
    "test_every_route_is_attacked": [
        "/projects/{project_id}/parcels/hidden/all is not in the OpenAPI document, so nothing attacks it: show it",
    ],
    "test_the_database_guards_every_table": [
        f"the table parcels_stamp has the policy wall, which does not compare with {BOUND}",
        "the table parcels_stamp has a primary key without project_id: make it (project_id, id)",
    ],
}  # fmt: skip
PASSED = ["test_a_viewer_may_not_write", "test_a_worker_seals_parcels", "test_others_see_nothing"]


async def test_each_fault_is_found(engines: Urls, tmp_path: Path) -> None:
    parcels.write(tmp_path)
    facts = tmp_path / "engines.json"
    facts.write_text(json.dumps(asdict(engines)))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pytest", "-v", "-rN", "-p", "no:cacheprovider",
        cwd=tmp_path,
        env={**os.environ, APART: str(facts), "PYTHONPATH": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said = (await process.communicate())[0].decode()
    outcomes = dict(re.findall(r"::(\w+) (PASSED|FAILED|ERROR)", said))
    assert outcomes == {**dict.fromkeys(FOUND, "FAILED"), **dict.fromkeys(PASSED, "PASSED")}, said
    lines = [line for line in said.splitlines() if re.match(r"(GET|POST|DELETE|/projects|the table) ?", line)]
    assert sorted(lines) == sorted(line for found in FOUND.values() for line in found), said


def test_pytest_does_not_load_it_where_partywall_is_merely_installed() -> None:
    assert not [each for each in distribution("partywall").entry_points if each.group == "pytest11"]
