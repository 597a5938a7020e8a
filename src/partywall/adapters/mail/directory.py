from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from email.policy import default
from pathlib import Path
from typing import Final

from partywall.core.clock import utc_now
from partywall.core.ids import new_id
from partywall.core.mail.message import Message
from partywall.core.mail.mime import envelope, mailbox

_READABLE: Final = default.clone(utf8=True)


@dataclass(frozen=True, slots=True)
class DirectoryMailer:
    """Writes each mail to an `.eml` file, atomically and readable by the owner only."""

    directory: Path
    sender: str

    async def send(self, message: Message) -> None:
        sealed = envelope(message, mailbox(self.sender))
        name = f"{utc_now():%Y%m%dT%H%M%S.%fZ}-{new_id().hex}.eml"
        await asyncio.to_thread(_write, self.directory, name, sealed.mail.as_bytes(policy=_READABLE))

    async def ping(self) -> None:
        await asyncio.to_thread(_make, self.directory)
        if not os.access(self.directory, os.W_OK):
            raise PermissionError(f"{self.directory} is not writable")


def _make(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def _write(directory: Path, name: str, content: bytes) -> None:
    _make(directory)
    draft = directory / f".{name}.part"
    try:
        with open(draft, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(directory / name)
    finally:
        draft.unlink(missing_ok=True)
