-- The audit trail of somebody who has not logged in, and its retention.

-- Adds an entry to the account of an address. Without an account it is written and rolled back, so that it takes as
-- long.
CREATE OR REPLACE FUNCTION wall.audit_address(
    address text, action text, subject text, data jsonb, client text, request_id text
) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    owner uuid := (SELECT a.id FROM public.account AS a WHERE a.email = address);
BEGIN
    INSERT INTO public.account_audit (account_id, action, subject, data, client, request_id)
    VALUES (
        owner, audit_address.action, audit_address.subject, audit_address.data, audit_address.client,
        audit_address.request_id
    );
    IF owner IS NULL THEN
        RAISE SQLSTATE 'PW001';
    END IF;
EXCEPTION WHEN SQLSTATE 'PW001' THEN
    NULL;
END
$$;

-- Deletes entries made before `before`, at most `most` of accounts and of projects each.
CREATE OR REPLACE FUNCTION wall.prune_audit(before timestamptz, most integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    WITH of_accounts AS (
        DELETE FROM public.account_audit AS e USING (
            SELECT o.id FROM public.account_audit AS o WHERE o.created_at < before
            LIMIT most FOR UPDATE SKIP LOCKED
        ) AS old WHERE e.id = old.id RETURNING 1
    ), of_projects AS (
        DELETE FROM public.project_audit AS e USING (
            SELECT o.project_id, o.id FROM public.project_audit AS o WHERE o.created_at < before
            LIMIT most FOR UPDATE SKIP LOCKED
        ) AS old WHERE e.project_id = old.project_id AND e.id = old.id RETURNING 1
    )
    SELECT (SELECT count(*) FROM of_accounts) + (SELECT count(*) FROM of_projects)
$$;

GRANT EXECUTE ON FUNCTION wall.audit_address, wall.prune_audit TO :runtime_role;
