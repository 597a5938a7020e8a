"""Networks from which an account has logged in before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, exists, select
from sqlalchemy.dialects.postgresql import insert

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.security.secrets import Signer
from partywall.features.accounts.models import KnownNetwork

# Per account; the least recently used is dropped.
_MOST: Final = 20


def hash_of_address(signer: Signer, address: str) -> bytes:
    """The keyed hash of an address, under which failures and known networks are stored."""
    return signer.sign(address.encode())


@dataclass(frozen=True, slots=True)
class Origin:
    """An attempt's origin as keyed hashes: of the address, and of address and network together (`network`)."""

    address: bytes
    network: bytes

    @classmethod
    def of(cls, signer: Signer, address: str, client: str) -> Origin:
        return cls(hash_of_address(signer, address), signer.sign(b"\0".join([address.encode(), client.encode()])))


async def is_known(session: AsyncReadSession, origin: Origin, since: datetime) -> bool:
    """Whether this address has logged in from this network since `since`."""
    found = exists().where(
        KnownNetwork.address_hash == origin.address,
        KnownNetwork.network_hash == origin.network,
        KnownNetwork.used_at >= since,
    )
    return bool(await session.scalar(select(found)))


@dataclass(frozen=True, slots=True)
class KnownNetworks:
    session: AsyncSession

    async def note(self, origin: Origin, now: datetime) -> None:
        """Record a login from this network."""
        row = insert(KnownNetwork).values(address_hash=origin.address, network_hash=origin.network, used_at=now)
        await self.session.execute(
            row.on_conflict_do_update(
                index_elements=[KnownNetwork.address_hash, KnownNetwork.network_hash], set_={"used_at": now}
            )
        )
        kept = select(KnownNetwork.network_hash).where(KnownNetwork.address_hash == origin.address)
        kept = kept.order_by(KnownNetwork.used_at.desc()).limit(_MOST)
        await self.session.execute(
            delete(KnownNetwork).where(
                KnownNetwork.address_hash == origin.address, KnownNetwork.network_hash.not_in(kept)
            )
        )
