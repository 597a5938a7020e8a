"""The real program: what a client stored survives any kill and any stop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import pwd
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from httpx2 import AsyncClient

from tests.e2e.server import MAX_WAIT, Deployment, Serving, kill_all, processes_of, wait_until

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse battery staple"


class PartywallDeployment(Deployment):
    def start(self) -> Serving:
        command = [sys.executable, "-m", "partywall", "serve", "--data-dir", str(self.data_dir)]
        return self.run([*command, "--port", str(self.port)]).until_ready()

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[AsyncClient]:
        async with AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=60) as client:
            credentials = {"email": "ada@example.com", "password": PASSWORD}
            assert (await client.post("/api/v1/auth/register", json=credentials)).status_code == 202
            form = {"grant_type": "password", "username": credentials["email"], "password": PASSWORD}
            token = (await client.post("/api/v1/auth/token", data=form)).json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
            yield client


def is_ready(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/readyz").status_code == httpx2.codes.OK
    except httpx2.TransportError:
        return False


@pytest.fixture
async def deployment() -> AsyncIterator[PartywallDeployment]:
    async with contextlib.aclosing(PartywallDeployment()) as deployment:
        yield deployment


async def create_project(client: AsyncClient) -> str:
    answer = await client.post("/api/v1/projects", json={"name": "Archive"})
    assert answer.status_code == 201
    return f"/api/v1/projects/{answer.json()['id']}"


async def test_what_a_client_stored_survives_a_kill_of_everything_and_a_stop(deployment: PartywallDeployment) -> None:
    first = deployment.start()
    assert f"Mail  {deployment.data_dir.resolve() / 'mail'}" in first.output
    async with deployment.client() as client:
        project = await create_project(client)
    [mail] = await wait_until(
        lambda: list((deployment.data_dir / "mail").glob("[!.]*.eml")), "the mail to who registered"
    )
    assert f"http://127.0.0.1:{deployment.port}/api/v1/auth/email/verify" in mail.read_text()
    kill_all(deployment.data_dir)

    second = deployment.start()
    assert "creating" not in second.output
    assert first.ended() == -signal.SIGKILL
    async with deployment.client() as client, contextlib.AsyncExitStack() as open_streams:
        assert (await client.get(project)).json()["name"] == "Archive"
        for _ in range(50):
            await open_streams.enter_async_context(client.stream("GET", f"{project}/events"))
        assert await asyncio.to_thread(second.stop) == 0
    assert "killed" not in second.output
    assert processes_of(deployment.data_dir) == {}

    deployment.start()
    async with deployment.client() as client:
        assert (await client.get(project)).json()["name"] == "Archive"


async def test_the_api_answers_again_after_its_database_and_cache_were_killed(deployment: PartywallDeployment) -> None:
    serving = deployment.start()
    async with deployment.client() as client:
        project = await create_project(client)
        api, worker = [await serving.running(part) for part in ("partywall api", "partywall worker")]
        niceness = functools.partial(os.getpriority, os.PRIO_PROCESS)
        await wait_until(lambda: niceness(api) < niceness(worker), "the worker to give way to the API")
        for part in ("bin/postgres -D", "valkey-server"):
            os.kill(await serving.running(part), signal.SIGKILL)
        serving.until("postgres is back")
        serving.until("valkey is back")
        assert (await client.get(project)).json()["name"] == "Archive"
        assert (await client.get("/readyz")).status_code == 200
    assert serving.pid_of("partywall api") == api


@pytest.mark.soak
async def test_a_killed_api_and_worker_are_started_again(deployment: PartywallDeployment) -> None:
    serving = deployment.start()
    api, worker = [await serving.running(part) for part in ("partywall api", "partywall worker")]
    for pid in (api, worker):
        os.kill(pid, signal.SIGKILL)
    serving.until("the API was killed by SIGKILL; starting it again")
    serving.until("the worker was killed by SIGKILL; starting it again")
    await wait_until(lambda: is_ready(deployment.port), "the API to answer again")


@pytest.mark.skipif(os.geteuid() != 0, reason="another user than root runs everything itself")
async def test_started_as_root_the_children_are_the_service_account(deployment: PartywallDeployment) -> None:
    """Also on the files of an earlier start as root, in a closed home directory."""
    deployment.parent.chmod(0o700)
    (deployment.data_dir / "blobs").mkdir(parents=True)
    (deployment.data_dir / "secret.key").write_text("0123456789abcdefghijklmnopqrstuvwxyz")
    (deployment.data_dir / "secret.key").chmod(0o600)
    serving = deployment.start()
    for part in ("partywall api", "partywall worker"):
        pid = await serving.running(part)
        status = Path(f"/proc/{pid}/status").read_text()
        uid = str(pwd.getpwnam("partywall").pw_uid)
        assert re.findall(r"^Uid:(.*)$", status, re.MULTILINE) == [f"\t{uid}" * 4]
        assert "\nCapBnd:\t0000000000000000\n" in status
    async with deployment.client() as client:
        project = await create_project(client)
        page = {"file": ("page.html", b"<h1>Zebras</h1><p>are striped" + b"<p>and large" * 8000, "text/html")}
        uploaded = await client.post(f"{project}/documents/upload", files=page)
        assert uploaded.status_code == 201, uploaded.text
        original = await client.get(f"{project}/documents/{uploaded.json()['id']}/content?original=true")
        assert original.content == page["file"][1]
        await wait_until(lambda: list((deployment.data_dir / "mail").glob("[!.]*.eml")), "the mail to who registered")
        async with asyncio.timeout(MAX_WAIT):
            while not (await client.get(f"{project}/search", params={"q": "striped"})).json()["items"]:
                await asyncio.sleep(0.1)
    assert serving.stop() == 0
    assert deployment.parent.stat().st_mode & 0o777 == 0o700
