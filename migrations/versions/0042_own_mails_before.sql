DROP FUNCTION wall.register(uuid, bytea, timestamptz, text, text, text, boolean, integer, bytea);
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

DROP FUNCTION wall.registrations_to_resend(text, uuid, bytea, timestamptz, integer, bytea, integer);
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
