"""panva's oidc-provider as two identity providers, `one` and `two`, in one process of Node."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2

from tests import packages
from tests.server import free_port, until_listening

SCRIPT: Final = Path(__file__).with_name("provider.mjs")
CALLBACKS: Final = "http://test/api/v1/auth/oauth"
CLIENT_ID: Final = "partywall"
SECRET: Final = "a secret+with/signs"
_FORM: Final = re.compile(r'action="([^"]+)"')


@dataclass(frozen=True, slots=True)
class OidcServer:
    name: str
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def discovery_url(self) -> str:
        return f"{self.url}/.well-known/openid-configuration"

    async def change(self, *, skew: int = 0, rotate: bool = False, **state: object) -> None:
        """Moves its clock by seconds, gives it a new key, or changes how it answers; forgets former changes."""
        async with httpx2.AsyncClient() as client:
            wanted = {"skew": skew, "rotate": rotate, "state": state}
            (await client.post(f"{self.url}/control", json=wanted)).raise_for_status()


@asynccontextmanager
async def oidc_servers(folder: Path) -> AsyncIterator[dict[str, OidcServer]]:
    """Skips the test where Node or the package cannot be had."""
    (folder / "node_modules").symlink_to(await packages.node_packages() / "node_modules")
    script = folder / SCRIPT.name
    script.write_text(SCRIPT.read_text())
    ports = [free_port(), free_port()]
    process = await asyncio.create_subprocess_exec(
        "node", str(script), ",".join(map(str, ports)), CALLBACKS,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for port in ports:
            await until_listening(port)
        yield {name: OidcServer(name, port) for name, port in zip(("one", "two"), ports, strict=True)}
    finally:
        process.kill()
        await process.wait()


async def approve(url: str, person: str) -> str:
    """Logs in as this person and consents, as a browser does. Returns the address that the provider sends it to."""
    async with httpx2.AsyncClient(follow_redirects=False) as browser:
        answer = await browser.get(url)
        while not (location := answer.headers.get("location", "")).startswith(CALLBACKS):
            if location:
                answer = await browser.get(answer.url.join(location))
                continue
            [form] = _FORM.findall(answer.text)[:1]
            fields: Mapping[str, str] = {"prompt": "login", "login": person, "password": "any"}
            if 'value="consent"' in answer.text:
                fields = {"prompt": "consent"}
            answer = await browser.post(answer.url.join(form), data=dict(fields))
        return location
