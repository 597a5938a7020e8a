CREATE OR REPLACE FUNCTION wall.register(
    registration uuid, token_hash bytea, expires_at timestamptz,
    address text, password_hash text, full_name text, invited_only boolean, most_an_hour integer,
    network bytea
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
        INSERT INTO public.registration (id, account_id, token_hash, expires_at, password_hash, full_name, network_hash)
        VALUES (
            registration, registered, register.token_hash, register.expires_at,
            CASE WHEN NOT fresh THEN register.password_hash END, CASE WHEN NOT fresh THEN register.full_name END,
            network
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

CREATE OR REPLACE FUNCTION wall.registrations_to_resend(
    address text, registration uuid, token_hash bytea, expires_at timestamptz, most integer, network bytea, most_own integer
) RETURNS TABLE (account_id uuid, registration_id uuid, own boolean) LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
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
        WHERE n.account_id = waiting AND n.expires_at > now() ORDER BY n.created_at DESC LIMIT most
    ) AS newest
    WHERE r.id = newest.id AND (newest.own OR r.resent < most)
    RETURNING waiting, r.id, newest.own;
END
$$;
