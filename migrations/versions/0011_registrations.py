"""each registration of an unconfirmed address is stored separately, so that confirming one admits nobody else"""

from __future__ import annotations

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# The registration that created the account has no password here: it is in the account.
_TABLE = """
CREATE TABLE registration (
    id uuid NOT NULL CONSTRAINT registration_pkey PRIMARY KEY,
    account_id uuid NOT NULL CONSTRAINT registration_account_id_fkey REFERENCES account (id) ON DELETE CASCADE,
    token_hash bytea NOT NULL CONSTRAINT registration_token_hash_key UNIQUE,
    password_hash text,
    full_name text,
    expires_at timestamptz NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL
);
CREATE INDEX registration_account_id_idx ON registration (account_id);
CREATE INDEX registration_expires_at_idx ON registration (expires_at);

ALTER TABLE registration ENABLE ROW LEVEL SECURITY;
ALTER TABLE registration FORCE ROW LEVEL SECURITY;
CREATE POLICY directory ON registration TO CURRENT_USER USING (true);
"""

# A registration that is refused (the address is confirmed, was not invited, or had too many within an hour) is written
# and rolled back, so that it takes as long as any other. Returns the account with this address, or an id that refers to
# nothing.
_REGISTER = """
CREATE FUNCTION wall.register(
    registration uuid, token_hash bytea, expires_at timestamptz,
    address text, password_hash text, full_name text, invited_only boolean, most_an_hour integer
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    invited boolean := wall.is_invited(address);
    registered uuid;
    fresh boolean;
    confirmed boolean;
BEGIN
    BEGIN
        INSERT INTO public.account AS known (email, password_hash, full_name)
        VALUES (address, register.password_hash, register.full_name)
        ON CONFLICT (email) DO UPDATE SET revision = known.revision
        RETURNING new.id, old.id IS NULL, new.email_verified_at IS NOT NULL INTO registered, fresh, confirmed;
        INSERT INTO public.registration (id, account_id, token_hash, expires_at, password_hash, full_name)
        VALUES (
            registration, registered, register.token_hash, register.expires_at,
            CASE WHEN NOT fresh THEN register.password_hash END, CASE WHEN NOT fresh THEN register.full_name END
        );
        IF confirmed OR (fresh AND invited_only AND NOT invited)
            OR wall.registrations_of_last_hour(registered) > most_an_hour
        THEN
            RAISE SQLSTATE 'PW001';
        END IF;
    EXCEPTION WHEN SQLSTATE 'PW001' THEN
        NULL;
    END;
    RETURN registered;
END
$$;
"""

_WAITING = """
CREATE FUNCTION wall.registrations_of_last_hour(account uuid) RETURNS bigint LANGUAGE sql STABLE
    SET search_path = pg_catalog
AS $$
    SELECT count(*) FROM public.registration AS r
    WHERE r.account_id = account AND r.created_at > now() - interval '1 hour'
$$;

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

CREATE FUNCTION wall.waiting_registration(registration uuid)
    RETURNS TABLE (chosen_at timestamptz, expires_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT CASE WHEN r.password_hash IS NULL THEN a.created_at ELSE r.created_at END, r.expires_at
    FROM public.registration AS r JOIN public.account AS a ON a.id = r.account_id
    WHERE r.id = registration AND a.id = wall.current_user_id()
        AND r.expires_at > now() AND a.email_verified_at IS NULL AND a.disabled_at IS NULL
$$;

CREATE FUNCTION wall.prune_registrations() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    WITH removed AS (DELETE FROM public.registration WHERE expires_at <= now() RETURNING 1)
    SELECT count(*) FROM removed
$$;
"""

# Removes everything through which a previous holder could access the account: password, sessions, keys, invitations.
# Returns the sessions that ended, or null for an invalid token. The account is locked first, as in a registration.
_CONFIRM = """
CREATE FUNCTION wall.confirm_registration(presented bytea) RETURNS uuid[] LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
DECLARE
    chosen public.registration;
    entered uuid[];
    ended uuid[] := '{}';
BEGIN
    SELECT * INTO chosen FROM public.registration AS r WHERE r.token_hash = presented AND r.expires_at > now();
    UPDATE public.account AS a SET email_verified_at = now(), updated_at = now()
    WHERE a.id = chosen.account_id AND a.email_verified_at IS NULL AND a.disabled_at IS NULL;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    DELETE FROM public.registration AS r WHERE r.account_id = chosen.account_id;
    IF chosen.password_hash IS NULL THEN
        RETURN ended;
    END IF;
    UPDATE public.account AS a
    SET password_hash = chosen.password_hash, full_name = chosen.full_name, revision = a.revision + 1
    WHERE a.id = chosen.account_id;
    WITH revoked AS (
        UPDATE public.session AS s SET revoked_at = now()
        WHERE s.account_id = chosen.account_id AND s.revoked_at IS NULL RETURNING s.id
    )
    SELECT coalesce(array_agg(revoked.id), '{}') INTO ended FROM revoked;
    SELECT array_agg(m.project_id) INTO entered FROM public.project_member AS m WHERE m.account_id = chosen.account_id;
    PERFORM FROM public.project AS p WHERE p.id = ANY (entered) ORDER BY p.id FOR KEY SHARE;
    UPDATE public.api_key AS k SET revoked_at = now()
    WHERE k.project_id = ANY (entered) AND k.created_by = 'user:' || chosen.account_id AND k.revoked_at IS NULL;
    DELETE FROM public.invitation AS i
    WHERE i.project_id = ANY (entered) AND i.invited_by = 'user:' || chosen.account_id;
    RETURN ended;
END
$$;
"""

_CALLED = """wall.register(uuid, bytea, timestamptz, text, text, text, boolean, integer),
    wall.register_again(uuid, bytea, timestamptz, integer), wall.waiting_registration(uuid),
    wall.confirm_registration(bytea), wall.prune_registrations()"""

# The previous functions: their confirmation activates the password of whoever registered first.
_FORMER = """
CREATE FUNCTION wall.register_account(address text, password_hash text, full_name text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    INSERT INTO public.account AS known (email, password_hash, full_name)
    VALUES (address, register_account.password_hash, register_account.full_name)
    ON CONFLICT (email) DO UPDATE SET revision = known.revision
$$;

CREATE FUNCTION wall.register_account(address text, password_hash text, full_name text, invited_only boolean)
    RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    invited boolean := wall.is_invited(address);
    registered uuid;
    fresh boolean;
BEGIN
    BEGIN
        INSERT INTO public.account AS known (email, password_hash, full_name)
        VALUES (address, register_account.password_hash, register_account.full_name)
        ON CONFLICT (email) DO UPDATE SET revision = known.revision
        RETURNING new.id, old.id IS NULL INTO registered, fresh;
        IF fresh AND invited_only AND NOT invited THEN
            RAISE SQLSTATE 'PW001';
        END IF;
    EXCEPTION WHEN SQLSTATE 'PW001' THEN
        NULL;
    END;
    RETURN registered;
END
$$;

CREATE FUNCTION wall.verify_email(account uuid, address text) RETURNS boolean LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    WITH verified AS (
        UPDATE public.account AS a SET email_verified_at = now(), updated_at = now()
        WHERE a.id = account AND a.email = address AND a.email_verified_at IS NULL AND a.disabled_at IS NULL
        RETURNING a.id
    )
    SELECT EXISTS (SELECT FROM verified)
$$;
"""

_FORMER_NAMES = """wall.register_account(text, text, text), wall.register_account(text, text, text, boolean),
    wall.verify_email(uuid, text)"""


def upgrade() -> None:
    script(_TABLE)
    script(_WAITING)
    script(_REGISTER)
    script(_CONFIRM)
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_CALLED}, wall.registrations_of_last_hour(uuid) FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_CALLED}")
    # Also for processes of the previous version: their confirmations are the vulnerability that is closed here.
    # lint: allow sql-text - a constant list of functions
    op.execute(f"DROP FUNCTION {_FORMER_NAMES}")


def downgrade() -> None:
    script(_FORMER)
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_FORMER_NAMES} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_FORMER_NAMES}")
    # lint: allow sql-text - a constant list of functions
    op.execute(f"DROP FUNCTION {_CALLED}, wall.registrations_of_last_hour(uuid)")
    script("DROP TABLE registration;")
