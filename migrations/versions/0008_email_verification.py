"""confirmation of addresses, and registration that can be limited to invited users"""

from __future__ import annotations

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# A registration that is not admitted is written and rolled back, so that it takes as long as any other; the returned id
# then refers to nothing. For a known address it is the account's id, so that the caller cannot tell the difference.
_FUNCTIONS = """
CREATE FUNCTION wall.is_invited(address text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog
AS $$ SELECT EXISTS (SELECT FROM public.invitation AS i WHERE i.email = address AND i.expires_at > now()) $$;

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

_CALLED = "wall.register_account(text, text, text, boolean), wall.verify_email(uuid, text)"


def upgrade() -> None:
    # The function with three parameters remains for processes of the previous version, until a later release.
    script(_FUNCTIONS)
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_CALLED}, wall.is_invited(text) FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_CALLED}")


def downgrade() -> None:
    # lint: allow sql-text - a constant list of functions
    op.execute(f"DROP FUNCTION {_CALLED}, wall.is_invited(text)")
