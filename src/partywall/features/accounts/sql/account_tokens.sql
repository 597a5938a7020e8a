-- Tokens that are mailed to the owner of an account: to reset the password, or to lift a lock.

-- Ends what somebody else may have made before the owner of an address confirmed it: keys, invitations and webhooks. The
-- caller ends the sessions.
CREATE OR REPLACE FUNCTION wall.end_works_of(account uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    entered uuid[];
BEGIN
    SELECT array_agg(m.project_id) INTO entered FROM public.project_member AS m WHERE m.account_id = account;
    PERFORM FROM public.project AS p WHERE p.id = ANY (entered) ORDER BY p.id FOR NO KEY UPDATE;
    UPDATE public.api_key AS k SET revoked_at = now()
    WHERE k.project_id = ANY (entered) AND k.created_by = 'user:' || account AND k.revoked_at IS NULL;
    DELETE FROM public.invitation AS i
    WHERE i.project_id = ANY (entered) AND i.invited_by = 'user:' || account;
    PERFORM wall.disable_webhooks_of(account);
END
$$;

-- Sets an account's password, and ends its sessions and mailed tokens. The account's row comes first: a login locks it
-- before it starts a session.
CREATE OR REPLACE FUNCTION wall.replace_password(account uuid, password_hash text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    UPDATE public.account AS a
    SET password_hash = replace_password.password_hash, revision = a.revision + 1, updated_at = now()
    WHERE a.id = account;
    UPDATE public.session AS s SET revoked_at = now() WHERE s.account_id = account AND s.revoked_at IS NULL;
    DELETE FROM public.account_token AS t WHERE t.account_id = account;
$$;

-- Sets the calling user's password if it still is the one with the hash `former`. Returns whether it was set.
CREATE OR REPLACE FUNCTION wall.change_own_password(former text, password_hash text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM FROM public.account AS a
    WHERE a.id = wall.current_user_id() AND a.password_hash = former AND a.disabled_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM wall.replace_password(wall.current_user_id(), change_own_password.password_hash);
    RETURN true;
END
$$;

-- Stores a token for the account of an address and returns the account. Returns null without an account that may log
-- in, and if `most` unused tokens of this purpose were mailed already.
CREATE OR REPLACE FUNCTION wall.add_account_token(
    address text, purpose text, token uuid, token_hash bytea, expires_at timestamptz, most integer
) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    owner uuid;
BEGIN
    SELECT a.id INTO owner FROM public.account AS a
    WHERE a.email = address AND a.disabled_at IS NULL FOR NO KEY UPDATE;
    IF owner IS NULL OR most <= (
        SELECT count(*) FROM public.account_token AS t
        WHERE t.account_id = owner AND t.purpose = add_account_token.purpose AND t.expires_at > now()
    ) THEN
        RETURN NULL;
    END IF;
    INSERT INTO public.account_token (id, account_id, purpose, token_hash, expires_at)
    VALUES (token, owner, add_account_token.purpose, add_account_token.token_hash, add_account_token.expires_at);
    RETURN owner;
END
$$;

-- What a mail says about a token of the calling user.
CREATE OR REPLACE FUNCTION wall.waiting_account_token(token uuid) RETURNS TABLE (purpose text, expires_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT t.purpose, t.expires_at FROM public.account_token AS t
    WHERE t.id = token AND t.account_id = wall.current_user_id() AND t.expires_at > now()
$$;

-- The account and address that a token is for.
CREATE OR REPLACE FUNCTION wall.owner_of_account_token(presented bytea, purpose text)
    RETURNS TABLE (account_id uuid, address text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT a.id, a.email FROM public.account_token AS t JOIN public.account AS a ON a.id = t.account_id
    WHERE t.token_hash = presented AND t.purpose = owner_of_account_token.purpose AND t.expires_at > now()
        AND a.disabled_at IS NULL
$$;

-- Uses up a token; returns whether it was valid. The account's row is locked first, as everywhere.
CREATE OR REPLACE FUNCTION wall.use_account_token(presented bytea, purpose text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM FROM public.account AS a
    WHERE a.id = (SELECT o.account_id FROM wall.owner_of_account_token(presented, purpose) AS o) FOR NO KEY UPDATE;
    DELETE FROM public.account_token AS t
    WHERE t.token_hash = presented AND t.purpose = use_account_token.purpose AND t.expires_at > now();
    RETURN FOUND;
END
$$;

-- Uses up a token and sets the password of its account; returns whether the token was valid. The owner of the mailbox
-- thereby confirms the address. If it was unconfirmed, somebody else may have used the account: ends what they made.
CREATE OR REPLACE FUNCTION wall.reset_password(presented bytea, password_hash text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    owner uuid := (SELECT o.account_id FROM wall.owner_of_account_token(presented, 'reset_password') AS o);
BEGIN
    IF owner IS NULL OR NOT wall.use_account_token(presented, 'reset_password') THEN
        RETURN false;
    END IF;
    PERFORM wall.replace_password(owner, reset_password.password_hash);
    UPDATE public.account AS a SET email_verified_at = now()
    WHERE a.id = owner AND a.email_verified_at IS NULL;
    IF FOUND THEN
        DELETE FROM public.registration AS r WHERE r.account_id = owner;
        PERFORM wall.end_works_of(owner);
    END IF;
    RETURN true;
END
$$;

-- Deletes expired tokens, at most `most`. Skips locked rows until the next call.
CREATE OR REPLACE FUNCTION wall.prune_account_tokens(most integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    WITH removed AS (
        DELETE FROM public.account_token AS t USING (
            SELECT o.id FROM public.account_token AS o WHERE o.expires_at <= now() LIMIT most FOR UPDATE SKIP LOCKED
        ) AS old WHERE t.id = old.id RETURNING 1
    )
    SELECT count(*) FROM removed
$$;

GRANT EXECUTE ON FUNCTION wall.change_own_password, wall.add_account_token, wall.waiting_account_token,
    wall.owner_of_account_token, wall.use_account_token, wall.reset_password, wall.prune_account_tokens
    TO :runtime_role;
