"""The tests of the package, with their settings."""

from __future__ import annotations

from typing import Final

CONFTEST: Final = """
import pytest


@pytest.fixture(scope="session")
def partywall_settings():
    return {"parcels": {"seal": "sealed"}}


@pytest.fixture(scope="session")
def partywall_sample_bodies():
    def counted(sample):
        word = sample.text()
        return {"first": f"{word}1", "last": f"{word}9"}

    return {"POST /api/v1/projects/{project_id}/parcels/counts": counted}


@pytest.fixture(scope="session")
def partywall_sample_rows():
    async def stamp(superuser, project_id):
        stamps = "INSERT INTO parcels_stamp (project_id, id, text) VALUES ($1, uuidv7(), 'stamp ' || uuidv4())"
        await superuser.execute(stamps, project_id)

    return stamp
"""


TESTS: Final = """
from partywall.testing.isolation_tests import *


async def test_a_viewer_may_not_write(users, project, anonymous):
    viewer = await users.person()
    await users.join(project.id, viewer, "viewer")
    url = f"{project.url}/parcels"
    assert (await project.client.post(url, json={"label": "Books"})).status_code == 201
    assert [each["label"] for each in (await viewer.client.get(url)).json()] == ["Books"]
    assert (await viewer.client.post(url, json={"label": "Books"})).status_code == 403
    assert (await anonymous.get(url)).status_code == 401


async def test_a_worker_seals_parcels(project, run_jobs):
    url = f"{project.url}/parcels"
    await project.client.post(url, json={"label": "Books"})
    assert (await project.client.post(f"{url}/seals")).status_code == 200
    await run_jobs()
    assert [each["label"] for each in (await project.client.get(url)).json()] == ["Books, sealed"]


async def test_others_see_nothing(project, other_project):
    assert (await other_project.client.get(f"{project.url}/parcels")).status_code == 404
"""
PYTEST: Final = """
[pytest]
addopts = --disable-plugin-autoload -p pytest_asyncio.plugin -p partywall.testing
partywall_features = parcels
partywall_viewers_may = POST /api/v1/projects/{project_id}/parcels/counts
asyncio_mode = auto
asyncio_default_fixture_loop_scope = session
asyncio_default_test_loop_scope = session
filterwarnings = error
"""
