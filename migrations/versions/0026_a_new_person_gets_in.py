"""counters of login failures are found by address, and a confirmation is mailed again without a login"""

from __future__ import annotations

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

# `counter` identifies an address with a network, or an address alone. Existing counters remain; for those of a network
# the address is unknown, and they expire with the lockout.
_COUNTERS = """
ALTER TABLE login_failure RENAME COLUMN address_hash TO counter;
ALTER TABLE login_failure ADD COLUMN address_hash bytea;
UPDATE login_failure SET address_hash = counter;
ALTER TABLE login_failure ALTER COLUMN address_hash SET NOT NULL;
CREATE INDEX login_failure_address_hash_idx ON login_failure (address_hash);
"""

# A request to mail again does not say which registration is meant, so all pending ones are mailed, each with the time
# at which its password was chosen. If none is pending, one with the account's own password is created. The number of
# mails per registration is limited here too, because the cache with its counters may be unavailable.
_AGAIN = """
ALTER TABLE registration ADD COLUMN resent integer DEFAULT 0 NOT NULL;

CREATE FUNCTION wall.address_of_registration(presented bytea) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    SELECT a.email FROM public.registration AS r JOIN public.account AS a ON a.id = r.account_id
    WHERE r.token_hash = presented
$$;

CREATE FUNCTION wall.registrations_to_resend(
    address text, registration uuid, token_hash bytea, expires_at timestamptz, most integer
) RETURNS TABLE (account_id uuid, registration_id uuid) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    waiting uuid;
BEGIN
    SELECT a.id INTO waiting FROM public.account AS a
    WHERE a.email = address AND a.email_verified_at IS NULL AND a.disabled_at IS NULL FOR NO KEY UPDATE;
    IF waiting IS NULL THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM public.registration AS r WHERE r.account_id = waiting AND r.expires_at > now()) THEN
        INSERT INTO public.registration (id, account_id, token_hash, expires_at)
        VALUES (registration, waiting, registrations_to_resend.token_hash, registrations_to_resend.expires_at);
    END IF;
    RETURN QUERY
    UPDATE public.registration AS r
    SET resent = r.resent + 1, expires_at = greatest(r.expires_at, registrations_to_resend.expires_at)
    WHERE r.resent < most AND r.id IN (
        SELECT newest.id FROM public.registration AS newest
        WHERE newest.account_id = waiting AND newest.expires_at > now() ORDER BY newest.created_at DESC LIMIT most
    )
    RETURNING waiting, r.id;
END
$$;

DROP FUNCTION wall.register_again(uuid, bytea, timestamptz, integer);
"""

# As it was in 0011.
_FORMER = """
CREATE FUNCTION wall.register_again(
    registration uuid, token_hash bytea, expires_at timestamptz, most_an_hour integer
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    waiting uuid;
BEGIN
    SELECT a.id INTO waiting FROM public.account AS a
    WHERE a.id = wall.current_user_id() AND a.email_verified_at IS NULL AND a.disabled_at IS NULL FOR NO KEY UPDATE;
    IF waiting IS NULL OR wall.registrations_of_last_hour(waiting) >= most_an_hour THEN
        RETURN false;
    END IF;
    INSERT INTO public.registration (id, account_id, token_hash, expires_at)
    VALUES (registration, waiting, register_again.token_hash, register_again.expires_at);
    RETURN true;
END
$$;

DROP FUNCTION wall.registrations_to_resend(text, uuid, bytea, timestamptz, integer),
    wall.address_of_registration(bytea);
ALTER TABLE registration DROP COLUMN resent;
ALTER TABLE login_failure DROP COLUMN address_hash;
ALTER TABLE login_failure RENAME COLUMN counter TO address_hash;
"""

_CALLED = """wall.address_of_registration(bytea),
    wall.registrations_to_resend(text, uuid, bytea, timestamptz, integer)"""
_FORMER_NAME = "wall.register_again(uuid, bytea, timestamptz, integer)"


def upgrade() -> None:
    script(_COUNTERS)
    script(_AGAIN)
    _close(_CALLED)


def downgrade() -> None:
    script(_FORMER)
    _close(_FORMER_NAME)


def _close(functions: str) -> None:
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {functions} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {functions}")
