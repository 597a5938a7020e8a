"""nginx and Caddy with the files of docs/how-to/proxy.md, in front of the test's own API."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.proxies.programs import Program
from tests.server import free_port

GUIDE: Final = Path(__file__).parents[2] / "docs" / "how-to" / "proxy.md"
SUB_PATH: Final = "/partywall"
_START_SECONDS: Final = 60.0
_NGINX: Final = """
daemon off; master_process on; worker_processes 1; pid {here}/pid; error_log stderr warn;
{user}
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {here}/body; proxy_temp_path {here}/proxy; fastcgi_temp_path {here}/fastcgi;
    uwsgi_temp_path {here}/uwsgi; scgi_temp_path {here}/scgi;
    gzip on; gzip_proxied any; gzip_types application/json; gzip_min_length 1;
    {sites}
}}
"""
_CADDY: Final = "{\n\tadmin off\n\tauto_https off\n}\n"


@dataclass(frozen=True, slots=True)
class Front:
    """Where a proxy serves the API: at the root of `url`, and under a path at `below`."""

    url: str
    below: str


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)


@asynccontextmanager
async def nginx(program: Program, api: str) -> AsyncIterator[Front]:
    whole, location = blocks("nginx")
    port = free_port()
    sites = _changed(whole, {"127.0.0.1:8000": api, "listen 80;": f"listen 127.0.0.1:{port};"})
    sites = _changed(sites, {"    location / {": f"{location}\n    location / {{"})
    with TemporaryDirectory(prefix="pw-nginx-") as made:
        here = Path(made)
        # By default, a master started by root runs its workers as an account that may not read the directory.
        user = "user root;" if os.geteuid() == 0 else ""
        file = here / "nginx.conf"
        file.write_text(_NGINX.format(here=here, sites=sites, user=user))
        command = [program.path, "-p", str(here), "-e", "stderr", "-c", str(file)]
        async with _running(command, program.environment, here, port):
            url = f"http://127.0.0.1:{port}"
            yield Front(url, url + SUB_PATH)


@asynccontextmanager
async def caddy(program: Program, api: str) -> AsyncIterator[Front]:
    whole, below, encode = blocks("caddy")
    encode = _changed(encode, {"\t\tgzip\n": "\t\tgzip\n\t\tminimum_length 1\n"})
    ports = free_port(), free_port()
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    sites = [
        _changed(block, {"127.0.0.1:8000": api, f"{name} {{\n": f"{url} {{\n{encode}"})
        for block, name, url in zip([whole, below], ["partywall.example.com", "example.com"], urls, strict=True)
    ]
    with TemporaryDirectory(prefix="pw-caddy-") as made:
        here = Path(made)
        file = here / "Caddyfile"
        file.write_text(_CADDY + "\n".join(sites))
        command = [program.path, "run", "--config", str(file), "--adapter", "caddyfile"]
        environment = program.environment | {
            "HOME": str(here),
            "XDG_DATA_HOME": str(here),
            "XDG_CONFIG_HOME": str(here),
        }
        async with _running(command, environment, here, *ports):
            yield Front(urls[0], urls[1] + SUB_PATH)


def _changed(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        assert text.count(old) == 1, f"{old!r} stands in the guide's file {text.count(old)} times"
        text = text.replace(old, new)
    return text


@asynccontextmanager
async def _running(command: list[str], environment: Mapping[str, str], here: Path, *ports: int) -> AsyncIterator[None]:
    output = here / "output"
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=file, stderr=file)
    try:
        async with asyncio.timeout(_START_SECONDS):
            while not all(_listens(port) for port in ports):
                assert process.returncode is None, output.read_text()
                await asyncio.sleep(0.02)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
