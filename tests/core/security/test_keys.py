from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import orjson
from joserfc.jwk import ECKey
from sqlalchemy import func, select

from partywall.core.clock import utc_now
from partywall.core.db.session import Sessions
from partywall.core.security import keys
from partywall.core.security.keys import KeyRing
from partywall.core.security.models import SigningKey
from partywall.core.security.secrets import SecretKeeper

BOX = SecretKeeper("the secret of these tests").box(keys.SIGNING_KEYS)
OTHER_BOX = SecretKeeper("another secret altogether").box(keys.SIGNING_KEYS)
HOUR = timedelta(hours=1)


async def rotate(sessions: Sessions, active_at: datetime, until: datetime) -> str:
    async with sessions.begin() as session:
        return await keys.rotate(session, BOX, active_at=active_at, until=until)


async def count(sessions: Sessions) -> int:
    async with sessions.read() as session:
        return await session.scalar(select(func.count()).select_from(SigningKey)) or 0


async def test_the_first_start_makes_one_key_however_many_start_at_once(own_sessions: Sessions) -> None:
    rings = [KeyRing(own_sessions, BOX) for _ in range(5)]
    loaded = await asyncio.gather(*(ring.load() for ring in rings))
    assert len({each.signing().kid for each in loaded}) == 1
    assert await count(own_sessions) == 1


async def test_the_private_half_is_sealed_and_never_published(own_sessions: Sessions) -> None:
    loaded = await KeyRing(own_sessions, BOX).load()
    private = str(loaded.signing().as_dict(private=True)["d"])
    async with own_sessions.read() as session:
        row = (await session.scalars(select(SigningKey))).one()
    assert private.encode() not in row.sealed_private_jwk
    assert "d" not in row.public_jwk
    [published] = loaded.public()
    assert published.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert private not in published.values()


async def test_a_rotated_key_is_published_before_it_signs(own_sessions: Sessions) -> None:
    first = (await KeyRing(own_sessions, BOX).load()).signing().kid
    soon = utc_now() + HOUR
    second = await rotate(own_sessions, soon, soon + HOUR)
    loaded = await KeyRing(own_sessions, BOX).load()
    assert loaded.signing().kid == first
    assert {each["kid"] for each in loaded.public()} == {first, second}


async def test_the_former_key_verifies_until_it_is_retired(own_sessions: Sessions) -> None:
    first = str((await KeyRing(own_sessions, BOX).load()).signing().kid)
    second = await rotate(own_sessions, utc_now(), utc_now() + HOUR)
    loaded = await KeyRing(own_sessions, BOX).load()
    assert loaded.signing().kid == second
    assert loaded.verifying(first) is not None
    third = await rotate(own_sessions, utc_now(), utc_now())
    ring = KeyRing(own_sessions, BOX)
    assert [await ring.find(kid) is not None for kid in (first, second, third)] == [False, False, True]
    assert [each["kid"] for each in (await ring.load()).public()] == [third]


async def test_a_running_process_finds_a_new_key_when_a_token_names_it(own_sessions: Sessions) -> None:
    ring = KeyRing(own_sessions, BOX)
    await ring.load()
    made = await rotate(own_sessions, utc_now(), utc_now() + HOUR)
    found = await ring.find(made)
    assert found is not None
    assert found.kid == made


async def test_invented_key_ids_do_not_cause_a_read_each_time(own_sessions: Sessions) -> None:
    ring = KeyRing(own_sessions, BOX)
    assert await ring.find("made up") is None
    read = await ring.load()
    for number in range(5):
        assert await ring.find(f"made up {number}") is None
    assert await ring.load() is read


async def test_another_secret_makes_a_key_of_its_own(own_sessions: Sessions) -> None:
    """The old private keys can no longer be decrypted; starting must not depend on them."""
    first = (await KeyRing(own_sessions, BOX).load()).signing().kid
    ring = KeyRing(own_sessions, OTHER_BOX)
    assert (await ring.load()).signing().kid != first
    assert await ring.find(str(first)) is None
    assert await count(own_sessions) == 2


async def test_a_key_written_directly_into_the_table_is_rejected(own_sessions: Sessions) -> None:
    """A writer without the secret can neither add a key nor replace one."""
    ours = (await KeyRing(own_sessions, BOX).load()).signing()
    forged = ECKey.generate_key("P-256", parameters={"use": "sig", "alg": "ES256"}, auto_kid=True)
    public = dict(forged.as_dict(private=False))
    sealed = OTHER_BOX.seal(orjson.dumps(forged.as_dict(private=True)))
    stolen = BOX.seal(orjson.dumps(ours.as_dict(private=True)))
    async with own_sessions.begin() as session:
        session.add(SigningKey(kid=str(forged.kid), public_jwk=public, sealed_private_jwk=sealed))
        session.add(SigningKey(kid="borrowed", public_jwk=public, sealed_private_jwk=stolen))
    ring = KeyRing(own_sessions, BOX)
    assert [each["kid"] for each in (await ring.load()).public()] == [ours.kid]
    assert await ring.find(str(forged.kid)) is None
    assert await ring.find("borrowed") is None
