-- What a project has stored. Counted in slots, of which each writer locks a free one, so that writers do not wait for
-- each other; `spare` is what a slot may still add before it has to look at the quota.

-- Checks the quotas of documents and bytes after an addition, and gives the slot a new spare amount: a thousandth of
-- what is left, so that the total is never far off.
CREATE OR REPLACE FUNCTION wall.require_room(
    project uuid, taken bigint, more_documents bigint, more_bytes bigint
) RETURNS void
    LANGUAGE plpgsql
AS $$
DECLARE
    stored record;
    most_documents numeric := wall.quota_of(project, 'documents');
    most_bytes numeric := wall.quota_of(project, 'bytes');
BEGIN
    SELECT sum(u.documents) AS documents, sum(u.bytes) AS bytes,
        sum(u.marked_documents) AS marked_documents, sum(u.marked_bytes) AS marked_bytes INTO stored
    FROM public.project_usage AS u WHERE u.project_id = project;
    IF more_documents > 0 THEN
        PERFORM wall.require_quota('documents', stored.documents, more_documents, most_documents, true);
        PERFORM wall.require_quota('documents_being_deleted', stored.marked_documents + more_documents, more_documents,
            CASE WHEN most_documents IS NOT NULL THEN greatest(most_documents, 1000) END, true);
    END IF;
    IF more_bytes > 0 THEN
        PERFORM wall.require_quota('bytes', stored.bytes, more_bytes, most_bytes, true);
        PERFORM wall.require_quota('bytes_being_deleted', stored.marked_bytes + more_bytes, more_bytes,
            CASE WHEN most_bytes IS NOT NULL THEN greatest(most_bytes, 268435456) END, true);
    END IF;
    UPDATE public.project_usage AS u SET
        spare_documents = greatest(0, least(50, coalesce(div(most_documents - stored.documents, 1000), 50))),
        spare_bytes = greatest(0, least(4194304, coalesce(div(most_bytes - stored.bytes, 1000), 4194304)))
    WHERE u.project_id = project AND u.slot = taken;
END
$$;

-- Counts added or removed documents and bytes, and checks the quotas when the slot's spare amount is used up.
CREATE OR REPLACE FUNCTION wall.add_usage(project uuid, more_documents bigint, more_bytes bigint) RETURNS void
    LANGUAGE plpgsql
AS $$
DECLARE
    taken record;
BEGIN
    UPDATE public.project_usage AS u SET documents = u.documents + more_documents, bytes = u.bytes + more_bytes,
        spare_documents = u.spare_documents - greatest(more_documents, 0),
        spare_bytes = u.spare_bytes - greatest(more_bytes, 0)
    WHERE u.project_id = project AND u.slot = (
        SELECT free.slot FROM public.project_usage AS free WHERE free.project_id = project
        LIMIT 1 FOR UPDATE SKIP LOCKED
    ) RETURNING u.slot, u.spare_documents, u.spare_bytes INTO taken;
    IF NOT FOUND THEN
        INSERT INTO public.project_usage AS u (project_id, documents, bytes, spare_documents, spare_bytes)
        SELECT p.id, more_documents, more_bytes, -1, -1 FROM public.project AS p WHERE p.id = project
        RETURNING u.slot, u.spare_documents, u.spare_bytes INTO taken;
    END IF;
    IF taken.spare_documents < 0 AND more_documents > 0 OR taken.spare_bytes < 0 AND more_bytes > 0 THEN
        PERFORM wall.require_room(project, taken.slot, more_documents, more_bytes);
    END IF;
END
$$;

-- Moves documents between those that count and those that are marked as deleted, and subtracts purged ones. A slot's
-- amounts may be negative: only their sum over all slots counts. A deletion adds no spare amount.
CREATE OR REPLACE FUNCTION wall.mark_usage(
    project uuid, more_documents bigint, more_bytes bigint, more_marked_documents bigint, more_marked_bytes bigint
) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE public.project_usage AS u SET documents = u.documents + more_documents, bytes = u.bytes + more_bytes,
        marked_documents = u.marked_documents + more_marked_documents,
        marked_bytes = u.marked_bytes + more_marked_bytes
    WHERE u.project_id = project AND u.slot = (
        SELECT free.slot FROM public.project_usage AS free WHERE free.project_id = project
        LIMIT 1 FOR UPDATE SKIP LOCKED
    );
    IF NOT FOUND THEN
        INSERT INTO public.project_usage (project_id, documents, bytes, marked_documents, marked_bytes)
        SELECT p.id, more_documents, more_bytes, more_marked_documents, more_marked_bytes
        FROM public.project AS p WHERE p.id = project;
    END IF;
END
$$;

-- Counts data that is already stored, even above the quota; the next addition checks the quota.
CREATE OR REPLACE FUNCTION wall.note_usage(project uuid, more_bytes bigint) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE public.project_usage AS u SET bytes = u.bytes + more_bytes,
        spare_bytes = u.spare_bytes - greatest(more_bytes, 0)
    WHERE u.project_id = project AND u.slot = (
        SELECT free.slot FROM public.project_usage AS free WHERE free.project_id = project
        LIMIT 1 FOR UPDATE SKIP LOCKED
    );
    IF NOT FOUND THEN
        INSERT INTO public.project_usage (project_id, bytes, spare_documents, spare_bytes)
        SELECT p.id, more_bytes, -1, -1 FROM public.project AS p WHERE p.id = project;
    END IF;
END
$$;

-- Measures a project's usage again and corrects what was counted; returns whether it differed. For operators.
CREATE OR REPLACE FUNCTION wall.recount_usage(project uuid) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
DECLARE
    before record;
    after record;
BEGIN
    IF wall.open_scope('service:' || project::text, project) IS NULL THEN
        RETURN false;
    END IF;
    PERFORM wall.lock_exclusive(project, '');
    SELECT coalesce(sum(u.documents), 0) AS documents, coalesce(sum(u.bytes), 0) AS bytes INTO before
    FROM public.project_usage AS u WHERE u.project_id = project;
    UPDATE public.document AS d SET history_bytes = kept.bytes FROM (
        SELECT o.id, coalesce(sum(t.size), 0)::bigint AS bytes
        FROM public.document AS o
            LEFT JOIN public.document_text AS t ON t.project_id = o.project_id AND t.document_id = o.id
        WHERE o.project_id = project GROUP BY o.id
    ) AS kept WHERE d.project_id = project AND d.id = kept.id AND d.history_bytes <> kept.bytes;
    UPDATE public.run AS r SET bytes = wall.bytes_of_run(r)
    WHERE r.project_id = project AND r.bytes <> wall.bytes_of_run(r);
    DELETE FROM public.project_usage AS u WHERE u.project_id = project;
    INSERT INTO public.project_usage (project_id, documents, bytes, marked_documents, marked_bytes)
    SELECT project, count(*) FILTER (WHERE NOT found.marked),
        coalesce(sum(found.bytes) FILTER (WHERE NOT found.marked), 0)
        + (SELECT coalesce(sum(octet_length(k.body)), 0) FROM public.idempotency_key AS k WHERE k.project_id = project)
        + (SELECT coalesce(sum(r.bytes), 0) FROM public.run AS r WHERE r.project_id = project),
        count(*) FILTER (WHERE found.marked), coalesce(sum(found.bytes) FILTER (WHERE found.marked), 0)
    FROM (
        SELECT d.deleted_at IS NOT NULL AND d.purge_at IS NULL AS marked,
            wall.bytes_of(d.size, d.original_size, d.history_bytes, d.metadata) AS bytes
        FROM public.document AS d WHERE d.project_id = project
    ) AS found
    RETURNING documents, bytes INTO after;
    RETURN before.documents <> after.documents OR before.bytes <> after.bytes;
END
$$;

-- The quotas of the bound project, and how much of each is used.
CREATE OR REPLACE FUNCTION wall.usage() RETURNS TABLE (quota text, used numeric, most numeric)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    WITH opened AS MATERIALIZED (
        SELECT wall.current_project() AS id, date_trunc('month', now() AT TIME ZONE 'UTC')::date AS month
    ), stored AS MATERIALIZED (
        SELECT coalesce(sum(u.documents), 0) AS documents, coalesce(sum(u.bytes), 0) AS bytes
        FROM opened LEFT JOIN public.project_usage AS u ON u.project_id = opened.id
    )
    SELECT counted.quota, counted.used, wall.quota_of(opened.id, counted.quota)
    FROM opened, stored, LATERAL (VALUES
        ('documents', stored.documents),
        ('bytes', stored.bytes),
        ('versions_per_document', NULL),
        ('passages',
            (SELECT coalesce(max(s.chunks), 0) FROM public.search_statistic AS s WHERE s.project_id = opened.id)),
        ('keys', (SELECT count(*) FROM public.api_key AS k WHERE k.project_id = opened.id
            AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()))),
        ('webhooks', (SELECT count(*) FROM public.webhook AS w WHERE w.project_id = opened.id)),
        ('members', (SELECT count(*) FROM public.project_member AS m WHERE m.project_id = opened.id)),
        ('runs', (SELECT coalesce(max(a.runs), 0) FROM public.agent_usage AS a
            WHERE a.project_id = opened.id AND a.month = opened.month)),
        ('spending', (SELECT coalesce(max(a.cost), 0) FROM public.agent_usage AS a
            WHERE a.project_id = opened.id AND a.month = opened.month))
    ) AS counted (quota, used)
    WHERE opened.id IS NOT NULL
$$;

-- The quotas of the calling account, and how much of each is used.
CREATE OR REPLACE FUNCTION wall.usage_of_account() RETURNS TABLE (quota text, used numeric, most numeric)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT 'projects', (
        SELECT count(*) FROM public.project AS p
        WHERE p.account_id = wall.current_user_id() AND p.deleted_at IS NULL
    ), wall.quota_of_account(wall.current_user_id(), 'projects')
    WHERE wall.current_user_id() IS NOT NULL
$$;

GRANT EXECUTE ON FUNCTION wall.usage, wall.usage_of_account TO :runtime_role;
