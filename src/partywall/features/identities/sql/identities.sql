-- Logins by an identity, and linking. The runtime role only reads identities; these functions write them.

-- The account that an identity logs in to, or why there is none. `address` is null unless the provider has verified it.
-- An unknown identity gets the account with its address if that is confirmed, or a new account if `admission` allows it.
CREATE OR REPLACE FUNCTION wall.enter_by_identity(
    new_id uuid, issuer text, subject text, provider text, address text, full_name text, admission text
) RETURNS TABLE (account_id uuid, outcome text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
#variable_conflict use_variable
DECLARE
    owner public.account;
    holder uuid := (SELECT i.account_id FROM public.identity AS i WHERE i.issuer = issuer AND i.subject = subject);
    known boolean := holder IS NOT NULL;
BEGIN
    IF NOT known AND address IS NULL THEN
        RETURN QUERY SELECT NULL::uuid, 'unverified';
        RETURN;
    END IF;
    IF NOT known AND (admission = 'open' OR (admission = 'invite' AND wall.is_invited(address))) THEN
        INSERT INTO public.account AS a (email, email_verified_at, full_name) VALUES (address, now(), full_name)
        ON CONFLICT (email) DO NOTHING RETURNING a.id INTO holder;
    END IF;
    SELECT * INTO owner FROM public.account AS a
    WHERE a.id = coalesce(holder, (SELECT b.id FROM public.account AS b WHERE b.email = address)) FOR NO KEY UPDATE;
    IF owner.id IS NULL THEN
        RETURN QUERY SELECT NULL::uuid, 'closed';
    ELSIF owner.disabled_at IS NOT NULL THEN
        RETURN QUERY SELECT NULL::uuid, 'disabled';
    ELSIF known THEN
        RETURN QUERY UPDATE public.identity AS i
        SET last_used_at = now(), address = coalesce(enter_by_identity.address, i.address)
        WHERE i.issuer = issuer AND i.subject = subject AND i.account_id = holder RETURNING holder, 'known';
    ELSIF owner.email_verified_at IS NULL THEN
        RETURN QUERY SELECT NULL::uuid, 'unconfirmed';
    ELSE
        -- Of two first logins at once, the second finds the row of the first.
        INSERT INTO public.identity AS i (id, account_id, issuer, subject, provider, address)
        VALUES (new_id, owner.id, issuer, subject, provider, address) ON CONFLICT DO NOTHING;
        RETURN QUERY SELECT i.account_id, CASE WHEN holder IS NULL THEN 'linked' ELSE 'created' END
        FROM public.identity AS i WHERE i.issuer = issuer AND i.subject = subject;
    END IF;
END
$$;

-- The account of an identity, and whether it and the session of its token are valid.
CREATE OR REPLACE FUNCTION wall.account_of_identity(issuer text, subject text, session uuid)
    RETURNS TABLE (account_id uuid, valid boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT i.account_id, wall.is_not_revoked(i.account_id, session) FROM public.identity AS i
    WHERE i.issuer = account_of_identity.issuer AND i.subject = account_of_identity.subject
$$;

-- Makes the account of an identity whose issuer decides by itself who may register. Without a confirmed address, or if
-- the account with that address is not confirmed, it is a new one with `placeholder`, at which nobody gets mail.
CREATE OR REPLACE FUNCTION wall.adopt_identity(
    new_id uuid, issuer text, subject text, provider text, address text, placeholder text
) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
#variable_conflict use_variable
DECLARE
    result text;
BEGIN
    IF address IS NOT NULL THEN
        SELECT e.outcome INTO result
        FROM wall.enter_by_identity(new_id, issuer, subject, provider, address, NULL, 'open') AS e;
    END IF;
    IF result IS NULL OR result = 'unconfirmed' THEN
        INSERT INTO public.account (email) VALUES (placeholder) ON CONFLICT (email) DO NOTHING;
        INSERT INTO public.identity AS i (id, account_id, issuer, subject, provider)
        SELECT new_id, a.id, issuer, subject, provider FROM public.account AS a WHERE a.email = placeholder
        ON CONFLICT DO NOTHING;
    END IF;
END
$$;

-- Links an identity to the calling account. Returns its id, or why not. Linking it again returns the same id.
CREATE OR REPLACE FUNCTION wall.link_identity(
    new_id uuid, issuer text, subject text, provider text, address text, most integer
) RETURNS TABLE (id uuid, outcome text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
#variable_conflict use_variable
DECLARE
    caller public.account;
    linked public.identity;
BEGIN
    SELECT * INTO caller FROM public.account AS a
    WHERE a.id = wall.current_user_id() AND a.disabled_at IS NULL FOR NO KEY UPDATE;
    IF caller.id IS NULL THEN
        RETURN QUERY SELECT NULL::uuid, 'gone';
        RETURN;
    END IF;
    SELECT * INTO linked FROM public.identity AS i WHERE i.issuer = issuer AND i.subject = subject;
    IF linked.id IS NULL THEN
        IF caller.email_verified_at IS NULL THEN
            RETURN QUERY SELECT NULL::uuid, 'unconfirmed';
            RETURN;
        ELSIF (SELECT count(*) FROM public.identity AS i WHERE i.account_id = caller.id) >= most THEN
            RETURN QUERY SELECT NULL::uuid, 'full';
            RETURN;
        END IF;
        INSERT INTO public.identity AS i (id, account_id, issuer, subject, provider, address)
        VALUES (new_id, caller.id, issuer, subject, provider, address) ON CONFLICT DO NOTHING;
        SELECT * INTO linked FROM public.identity AS i
        WHERE i.issuer = issuer AND i.subject = subject;
    END IF;
    RETURN QUERY SELECT CASE WHEN linked.account_id = caller.id THEN linked.id END,
        CASE WHEN linked.account_id = caller.id THEN 'linked' ELSE 'taken' END;
END
$$;

-- Removes an identity of the calling account, unless the account could not log in any more: `providers` are those that
-- work, and a password counts if its address need not be confirmed or is.
CREATE OR REPLACE FUNCTION wall.remove_identity(identity uuid, providers text[], confirmed_only boolean) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
#variable_conflict use_variable
DECLARE
    caller public.account;
BEGIN
    SELECT * INTO caller FROM public.account AS a WHERE a.id = wall.current_user_id() FOR NO KEY UPDATE;
    IF NOT EXISTS (SELECT FROM public.identity AS i WHERE i.id = identity AND i.account_id = caller.id) THEN
        RETURN 'absent';
    END IF;
    IF (caller.password_hash IS NULL OR (confirmed_only AND caller.email_verified_at IS NULL)) AND NOT EXISTS (
        SELECT FROM public.identity AS i
        WHERE i.account_id = caller.id AND i.id <> identity AND i.provider = ANY (providers)
    ) THEN
        RETURN 'last';
    END IF;
    DELETE FROM public.identity AS i WHERE i.id = identity AND i.account_id = caller.id;
    RETURN 'removed';
END
$$;

GRANT EXECUTE ON FUNCTION wall.account_of_identity, wall.adopt_identity, wall.enter_by_identity, wall.link_identity, wall.remove_identity TO :runtime_role;
