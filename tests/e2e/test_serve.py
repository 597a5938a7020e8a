from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from partywall.adapters.embedded import embedded_engines
from tests.e2e.server import Serving, StandInDeployment, kill_all, processes_of, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.measured_processes]


@pytest.fixture
async def empty() -> AsyncIterator[StandInDeployment]:
    """A data directory without an earlier start."""
    async with contextlib.aclosing(StandInDeployment()) as deployment:
        yield deployment


@pytest.fixture(scope="module")
async def stopped() -> AsyncIterator[StandInDeployment]:
    """A data directory that was started once and stopped."""
    async with contextlib.aclosing(StandInDeployment()) as deployment:
        assert deployment.start().until_ready().stop() == 0
        yield deployment


@pytest.fixture
async def deployment(empty: StandInDeployment, stopped: StandInDeployment) -> StandInDeployment:
    """A copy of that: creating the cluster is most of a first start."""
    subprocess.run(["cp", "-a", stopped.data_dir, empty.data_dir], check=True)
    return empty


@contextlib.contextmanager
def hangup(handling: signal.Handlers) -> Iterator[None]:
    """How the started programs handle SIGHUP: the tests may themselves run under `nohup`."""
    before = signal.signal(signal.SIGHUP, handling)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def serving(deployment: StandInDeployment) -> Serving:
    with hangup(signal.SIG_DFL):
        return deployment.start().until_ready()


async def test_first_start_reports_progress_and_says_what_is_next(empty: StandInDeployment) -> None:
    serving = empty.start().until_ready()
    assert "creating the database cluster" in serving.output
    assert "bringing the schema up to date" in serving.output
    assert f"http://127.0.0.1:{serving.port}/docs" in serving.output
    assert "partywall register" in serving.output


async def test_the_api_reads_its_program_while_the_engines_start(deployment: StandInDeployment) -> None:
    """The migration of this start ends only once the API process runs; the API starts serving after it."""
    meeting = deployment.parent / "meeting"
    meeting.mkdir()
    meeting.chmod(0o1777)
    serving = deployment.start(STAND_IN_MEETING=str(meeting)).until_ready()
    assert serving.output.index("starting the API and the worker") < serving.output.index("api was told")


@pytest.mark.parametrize("signum", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.soak), signal.SIGHUP])
async def test_a_signal_stops_everything_and_the_next_start_has_the_data(
    deployment: StandInDeployment, serving: Serving, signum: signal.Signals
) -> None:
    await serving.execute("INSERT INTO note VALUES ('kept')")
    assert serving.stop(signum) == 0
    assert processes_of(serving.data_dir) == {}

    again = deployment.start().until_ready()
    assert await again.notes() == ["kept"]
    assert "creating" not in again.output
    assert "bringing the schema" not in again.output
    assert again.stop() == 0


async def test_a_hangup_is_ignored_where_nohup_says_so(deployment: StandInDeployment) -> None:
    with hangup(signal.SIG_IGN):
        serving = deployment.start().until_ready()
    serving.process.send_signal(signal.SIGHUP)
    await serving.execute("INSERT INTO note VALUES ('stayed')")
    assert serving.process.poll() is None
    assert serving.stop() == 0
    assert "stopping" in serving.output


async def test_ctrl_c_reaches_the_whole_group_and_still_stops_in_order(serving: Serving) -> None:
    os.killpg(serving.process.pid, signal.SIGINT)
    assert serving.ended() == 0
    assert "starting it again" not in serving.output
    assert processes_of(serving.data_dir) == {}


async def test_a_second_start_on_the_directory_names_its_holder(
    deployment: StandInDeployment, serving: Serving
) -> None:
    second = deployment.start()
    assert second.ended() == 2
    assert second.output.count("\n") == 1
    assert f"process {serving.process.pid}:" in second.output
    assert str(serving.data_dir) in second.output
    assert await serving.running("stand_in.py api")


async def test_a_command_uses_the_running_engines(serving: Serving) -> None:
    async with embedded_engines(serving.data_dir) as endpoints:
        assert endpoints.runtime_url.replace("+asyncpg", "") == serving.endpoint("runtime_url")
    assert await serving.notes() == []


async def test_a_second_signal_does_not_wait_for_a_child_that_hangs(deployment: StandInDeployment) -> None:
    serving = deployment.start(STAND_IN_HANGS="api").until_ready()
    serving.process.terminate()
    serving.until("stopping")
    assert serving.stop(signal.SIGINT) == 0
    assert "killing what has not stopped yet" in serving.output
    assert "the API did not stop and was killed" in serving.output
    assert processes_of(deployment.data_dir) == {}


async def test_a_busy_port_is_one_line(deployment: StandInDeployment) -> None:
    with socket.create_server(("127.0.0.1", deployment.port)):
        refused = deployment.start()
        assert refused.ended() == 2
    assert refused.output.count("\n") == 1
    assert f"port {deployment.port}" in refused.output


async def test_killing_the_supervisor_ends_its_children_and_loses_nothing(
    deployment: StandInDeployment, serving: Serving
) -> None:
    await serving.execute("INSERT INTO note VALUES ('before the kill')")
    serving.process.kill()
    await wait_until(lambda: not processes_of(serving.data_dir), "the children to end with their supervisor")
    again = deployment.start().until_ready()
    assert await again.notes() == ["before the kill"]


@pytest.mark.soak
async def test_a_start_right_after_the_kill_recovers(deployment: StandInDeployment, serving: Serving) -> None:
    await serving.execute("INSERT INTO note VALUES ('before the kill')")
    serving.process.kill()
    assert await deployment.start().until_ready().notes() == ["before the kill"]


@pytest.mark.soak
async def test_killing_every_process_loses_nothing(deployment: StandInDeployment, serving: Serving) -> None:
    await serving.execute("INSERT INTO note VALUES ('before the kill')")
    kill_all(serving.data_dir)
    assert await deployment.start().until_ready().notes() == ["before the kill"]


@pytest.mark.parametrize(
    ("part", "name"),
    [pytest.param("stand_in.py api", "API", marks=pytest.mark.soak), ("stand_in.py worker", "worker")],
)
async def test_a_killed_child_is_started_again(serving: Serving, part: str, name: str) -> None:
    first = await serving.running(part)
    os.kill(first, signal.SIGKILL)
    serving.until(f"the {name} was killed by SIGKILL; starting it again")
    await wait_until(lambda: serving.pid_of(part) not in (None, first), f"another {name}")


@pytest.mark.soak
async def test_a_killed_postgres_is_started_again_with_its_data(serving: Serving) -> None:
    await serving.execute("INSERT INTO note VALUES ('before the kill')")
    api = await serving.running("stand_in.py api")
    os.kill(await serving.running("bin/postgres -D"), signal.SIGKILL)
    serving.until("postgres is back")
    assert await serving.notes() == ["before the kill"]
    assert serving.pid_of("stand_in.py api") == api


@pytest.mark.soak
async def test_killing_the_database_and_the_api_together_is_survived(serving: Serving) -> None:
    for part in ("bin/postgres -D", "stand_in.py api"):
        os.kill(await serving.running(part), signal.SIGKILL)
    serving.until("postgres is back")
    assert await serving.notes() == []
    await wait_until(lambda: serving.pid_of("stand_in.py api"), "another API")


@pytest.mark.soak
async def test_a_killed_valkey_is_started_again(serving: Serving) -> None:
    os.kill(await serving.running("valkey-server"), signal.SIGKILL)
    serving.until("valkey is back")


@pytest.mark.parametrize(
    "delay", [pytest.param(0.3, marks=pytest.mark.soak), 0.7, pytest.param(1.2, marks=pytest.mark.soak)]
)
async def test_an_interrupted_first_start_leaves_a_directory_that_starts(
    empty: StandInDeployment, delay: float
) -> None:
    first = empty.start()
    await asyncio.sleep(delay)
    first.process.kill()
    first.ended()
    assert await empty.start().until_ready().notes() == []


async def test_a_stop_during_set_up_leaves_nothing_running(empty: StandInDeployment) -> None:
    serving = empty.start()
    serving.until("creating the database cluster")
    assert serving.stop() == 0
    assert processes_of(empty.data_dir) == {}


@pytest.mark.parametrize("command", ["api", "worker"])
async def test_a_child_that_refuses_its_settings_stops_the_start(deployment: StandInDeployment, command: str) -> None:
    serving = deployment.start(STAND_IN_REFUSES=command)
    assert serving.ended() == 2
    assert "refused to start" in serving.output
    assert processes_of(deployment.data_dir) == {}


async def test_a_failing_migration_stops_the_start(empty: StandInDeployment) -> None:
    serving = empty.start(STAND_IN_REFUSES="migrate")
    assert serving.ended() == 2
    assert "the migration ended with exit code 2" in serving.output
    assert processes_of(empty.data_dir) == {}


async def test_it_can_stop_with_its_parent_process(deployment: StandInDeployment) -> None:
    program = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    parent = deployment.run([sys.executable, "-c", program, *deployment.command("--stop-with-parent")]).until_ready()
    parent.process.kill()
    await wait_until(lambda: not processes_of(deployment.data_dir), "everything to end with the parent")
