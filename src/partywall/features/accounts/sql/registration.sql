-- Registration and the confirmation of addresses. A caller cannot tell a known address from a new one.

-- Whether an address has an invitation that has not expired.
CREATE OR REPLACE FUNCTION wall.is_invited(address text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$ SELECT EXISTS (SELECT FROM public.invitation AS i WHERE i.email = address AND i.expires_at > now()) $$;

-- The number of registrations of an account within the last hour.
CREATE OR REPLACE FUNCTION wall.registrations_of_last_hour(account uuid) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$
    SELECT count(*) FROM public.registration AS r
    WHERE r.account_id = account AND r.created_at > now() - interval '1 hour'
$$;

-- Stores a registration, and the account if the address is new; returns the account's id. A registration that is not
-- admitted is written and rolled back, so that it takes as long as any other; the returned id then refers to nothing.
-- `most_an_hour` holds for one network; all together may register twice as often, so that no network uses up the limit.
CREATE OR REPLACE FUNCTION wall.register(
    registration uuid, token_hash bytea, expires_at timestamptz,
    address text, password_hash text, full_name text, invited_only boolean, most_an_hour integer,
    network bytea
) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
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
        INSERT INTO public.registration (id, account_id, token_hash, expires_at, password_hash, full_name, network_hash)
        VALUES (
            registration, registered, register.token_hash, register.expires_at,
            CASE WHEN NOT fresh THEN register.password_hash END, CASE WHEN NOT fresh THEN register.full_name END,
            network
        );
        IF confirmed OR (fresh AND invited_only AND NOT invited)
            OR wall.registrations_of_last_hour(registered) > 2 * most_an_hour
            OR (
                SELECT count(*) FROM public.registration AS r
                WHERE r.account_id = registered AND r.network_hash IS NOT DISTINCT FROM network
                AND r.created_at > now() - interval '1 hour'
            ) > most_an_hour
        THEN
            RAISE SQLSTATE 'PW001';
        END IF;
    EXCEPTION WHEN SQLSTATE 'PW001' THEN
        NULL;
    END;
    RETURN registered;
END
$$;

-- The address that a registration's token confirms.
CREATE OR REPLACE FUNCTION wall.address_of_registration(presented bytea) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT a.email FROM public.registration AS r JOIN public.account AS a ON a.id = r.account_id
    WHERE r.token_hash = presented
$$;

-- When a registration of the calling account was made and when it expires, while its address is unconfirmed.
CREATE OR REPLACE FUNCTION wall.waiting_registration(registration uuid)
    RETURNS TABLE (chosen_at timestamptz, expires_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT CASE WHEN r.password_hash IS NULL THEN a.created_at ELSE r.created_at END, r.expires_at
    FROM public.registration AS r JOIN public.account AS a ON a.id = r.account_id
    WHERE r.id = registration AND a.id = wall.current_user_id()
        AND r.expires_at > now() AND a.email_verified_at IS NULL AND a.disabled_at IS NULL
$$;

-- The registrations whose mail is sent again, counted against `most` (and `most_own` for those of the requesting
-- network). These come first, so that newer ones of others do not displace them.
CREATE OR REPLACE FUNCTION wall.registrations_to_resend(
    address text, registration uuid, token_hash bytea, expires_at timestamptz, most integer, network bytea,
    most_own integer
) RETURNS TABLE (account_id uuid, registration_id uuid, own boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
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
    SET resent = r.resent + CASE WHEN newest.own THEN 0 ELSE 1 END,
        resent_own = r.resent_own + CASE WHEN newest.own THEN 1 ELSE 0 END,
        expires_at = greatest(r.expires_at, registrations_to_resend.expires_at)
    FROM (
        SELECT n.id, n.network_hash IS NOT DISTINCT FROM network AND n.resent_own < most_own AS own
        FROM public.registration AS n
        WHERE n.account_id = waiting AND n.expires_at > now()
        ORDER BY n.network_hash IS NOT DISTINCT FROM network DESC, n.created_at DESC LIMIT most
    ) AS newest
    WHERE r.id = newest.id AND (newest.own OR r.resent < most)
    RETURNING waiting, r.id, newest.own;
END
$$;

-- Confirms an address and ends the account's other registrations. If the registration sets another password than the
-- account's, someone else may have used the address before: ends sessions, keys, invitations and webhooks of the
-- account. Returns the ended sessions; null if there is nothing to confirm.
CREATE OR REPLACE FUNCTION wall.confirm_registration(presented bytea) RETURNS uuid[]
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    chosen public.registration;
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
    PERFORM wall.end_works_of(chosen.account_id);
    RETURN ended;
END
$$;

-- Deletes expired registrations, at most `most`. Skips locked rows until the next call.
CREATE OR REPLACE FUNCTION wall.prune_registrations(most integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    WITH removed AS (
        DELETE FROM public.registration AS r USING (
            SELECT o.id FROM public.registration AS o WHERE o.expires_at <= now() LIMIT most FOR UPDATE SKIP LOCKED
        ) AS old WHERE r.id = old.id RETURNING 1
    )
    SELECT count(*) FROM removed
$$;

GRANT EXECUTE ON FUNCTION wall.register, wall.address_of_registration, wall.waiting_registration,
    wall.registrations_to_resend, wall.confirm_registration, wall.prune_registrations TO :runtime_role;
