-- The documents that wait for the search index, leased like jobs.

-- Finds the projects after `beyond` with due documents, their size class and account; only ids cross the wall. Walks
-- the index from project to project, however many documents each has.
CREATE OR REPLACE FUNCTION wall.projects_to_index(vectors boolean, beyond uuid, most integer)
    RETURNS TABLE (project_id uuid, kind text, account_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    WITH RECURSIVE fresh AS (
        (
            SELECT d.project_id, CASE WHEN d.size > 131072 THEN 1 ELSE 0 END AS large, 1 AS number
            FROM public.document AS d
            WHERE d.index_status = 'pending' AND d.index_error IS NULL AND d.deleted_at IS NULL
                AND d.project_id > beyond
            ORDER BY d.project_id, (CASE WHEN d.size > 131072 THEN 1 ELSE 0 END) LIMIT 1
        )
        UNION ALL
        SELECT next.project_id, next.large, fresh.number + 1 FROM fresh CROSS JOIN LATERAL (
            SELECT d.project_id, CASE WHEN d.size > 131072 THEN 1 ELSE 0 END AS large FROM public.document AS d
            WHERE d.index_status = 'pending' AND d.index_error IS NULL AND d.deleted_at IS NULL
                AND (d.project_id, CASE WHEN d.size > 131072 THEN 1 ELSE 0 END) > (fresh.project_id, fresh.large)
            ORDER BY d.project_id, (CASE WHEN d.size > 131072 THEN 1 ELSE 0 END) LIMIT 1
        ) AS next WHERE fresh.number < most
    ), due AS (
        SELECT fresh.project_id, CASE fresh.large WHEN 1 THEN 'large' ELSE 'small' END AS kind
        FROM fresh CROSS JOIN LATERAL (
            SELECT FROM public.document AS d LEFT JOIN public.indexing_attempt AS a
                ON a.project_id = d.project_id AND a.document_id = d.id
            WHERE d.index_status = 'pending' AND d.index_error IS NULL AND d.deleted_at IS NULL
                AND d.project_id = fresh.project_id AND CASE WHEN d.size > 131072 THEN 1 ELSE 0 END = fresh.large
                AND (a.document_id IS NULL OR a.due_at <= now() OR a.lease IS NULL AND a.revision <> d.revision)
            LIMIT 1
        ) AS one
    ), worded AS (
        (
            SELECT a.project_id, 1 AS number FROM public.indexing_attempt AS a
            WHERE a.words AND vectors AND a.project_id > beyond ORDER BY a.project_id LIMIT 1
        )
        UNION ALL
        SELECT next.project_id, worded.number + 1 FROM worded CROSS JOIN LATERAL (
            SELECT a.project_id FROM public.indexing_attempt AS a WHERE a.words AND a.project_id > worded.project_id
            ORDER BY a.project_id LIMIT 1
        ) AS next WHERE worded.number < most
    ), found AS (
        SELECT due.project_id, due.kind FROM due
        UNION ALL
        SELECT worded.project_id, 'vectors' FROM worded CROSS JOIN LATERAL (
            SELECT FROM public.indexing_attempt AS a
            WHERE a.project_id = worded.project_id AND a.words AND a.due_at <= now() LIMIT 1
        ) AS one
    )
    SELECT found.project_id, found.kind, coalesce(wall.owner_account(found.project_id), found.project_id)
    FROM found JOIN public.project AS p ON p.id = found.project_id AND p.deleted_at IS NULL
$$;

-- Leases due documents of a project to a principal that may write there, and returns them. Documents that were lost
-- with their worker come one at a time, because one of them may have killed it. A server crash loses only leases, so
-- the commit does not wait for the disk.
CREATE OR REPLACE FUNCTION wall.claim_documents(
    principal text, project uuid, kind text, by_lease uuid, lasting interval, most integer, most_bytes bigint
) RETURNS TABLE (
    id uuid, title text, content text, media_type text, version integer, metadata jsonb, size integer, chunks integer,
    attempts integer, usual_language text
)
    LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    chosen uuid[];
BEGIN
    IF wall.open_shared_scope(principal, project) IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('synchronous_commit', 'off', true);
    IF kind = 'vectors' THEN
        chosen := ARRAY(
            SELECT a.document_id FROM public.indexing_attempt AS a
                JOIN public.document AS d ON d.project_id = a.project_id AND d.id = a.document_id
            WHERE a.project_id = project AND a.words AND a.due_at <= now()
                AND d.index_status = 'pending' AND d.index_error IS NOT NULL
            ORDER BY a.lease IS NULL, a.document_id LIMIT most FOR NO KEY UPDATE OF d SKIP LOCKED
        );
        IF EXISTS (
            SELECT FROM public.indexing_attempt AS a
            WHERE a.project_id = project AND a.document_id = chosen[1] AND a.lease IS NOT NULL
        ) THEN
            chosen := chosen[1:1];
        END IF;
    ELSE
        chosen := ARRAY(
            SELECT counted.id FROM (
                SELECT free.id, free.lost, first_value(free.lost) OVER in_turn AS alone,
                    row_number() OVER in_turn AS number, sum(free.size) OVER in_turn - free.size AS before
                FROM (
                    SELECT d.id, d.size, a.lease IS NOT NULL AND a.revision = d.revision AS lost
                    FROM public.document AS d LEFT JOIN public.indexing_attempt AS a
                        ON a.project_id = d.project_id AND a.document_id = d.id
                    WHERE d.project_id = project
                        AND CASE WHEN d.size > 131072 THEN 1 ELSE 0 END = (kind = 'large')::integer
                        AND d.index_status = 'pending' AND d.index_error IS NULL AND d.deleted_at IS NULL
                        AND (a.document_id IS NULL OR a.due_at <= now() OR a.lease IS NULL AND a.revision <> d.revision)
                    ORDER BY d.id LIMIT most FOR NO KEY UPDATE OF d SKIP LOCKED
                ) AS free WINDOW in_turn AS (ORDER BY free.id)
            ) AS counted
            WHERE counted.number = 1 OR NOT counted.alone AND NOT counted.lost AND counted.before < most_bytes
            ORDER BY counted.id
        );
    END IF;
    RETURN QUERY
    WITH taken AS (
        INSERT INTO public.indexing_attempt AS a (project_id, document_id, revision, attempts, due_at, lease, words)
        SELECT project, d.id, d.revision, 1, now() + lasting, by_lease, kind = 'vectors'
        FROM unnest(chosen) AS of(id) CROSS JOIN LATERAL (
            SELECT d.id, d.revision FROM public.document AS d WHERE d.project_id = project AND d.id = of.id OFFSET 0
        ) AS d
        ON CONFLICT (project_id, document_id) DO UPDATE SET
            attempts = CASE
                WHEN a.revision = excluded.revision AND a.words = excluded.words THEN a.attempts + 1 ELSE 1
            END,
            revision = excluded.revision, due_at = excluded.due_at, lease = excluded.lease, words = excluded.words
            WHERE a.due_at <= now() OR a.lease IS NULL AND a.revision <> excluded.revision
        RETURNING a.document_id, a.attempts
    )
    SELECT d.id, d.title, CASE WHEN kind = 'vectors' THEN '' ELSE d.content END, d.media_type, d.version, d.metadata,
        d.size, d.chunks, taken.attempts, wall.project_language(project)
    FROM taken CROSS JOIN LATERAL (
        SELECT * FROM public.document AS d WHERE d.project_id = project AND d.id = taken.document_id OFFSET 0
    ) AS d ORDER BY d.id;
END
$$;

-- Ends the leases, marks the documents whose version and language have not changed, and returns those. A document that
-- waits for the text of another file stays as it is; one whose file could not be read is failed, and found by its text. One by one, because a plan made without statistics would read the
-- whole project. A document is locked before its attempt.
CREATE OR REPLACE FUNCTION wall.settle_documents(
    project uuid, by_lease uuid, ids uuid[], versions integer[], languages text[], statuses text[], notes text[],
    counts integer[]
) RETURNS TABLE (id uuid, version integer, revision integer, index_status text, index_error text)
    LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    given record;
    is_current boolean;
BEGIN
    FOR given IN
        SELECT * FROM unnest(ids, versions, languages, statuses, notes, counts)
            AS of(id, version, language, status, note, chunks) ORDER BY of.id
    LOOP
        SELECT d.version = given.version AND (
                d.unread_title IS NULL
                OR d.index_status = 'pending' AND (d.index_error IS NULL OR d.index_error NOT LIKE 'reading:%')
            )
            AND given.language IS NOT DISTINCT FROM CASE
                WHEN jsonb_typeof(d.metadata -> 'language') = 'string' THEN d.metadata ->> 'language'
            END INTO is_current
        FROM public.document AS d WHERE d.project_id = project AND d.id = given.id FOR NO KEY UPDATE;
        CONTINUE WHEN NOT FOUND;
        DELETE FROM public.indexing_attempt AS a
        WHERE a.project_id = project AND a.document_id = given.id AND a.lease = by_lease;
        CONTINUE WHEN NOT FOUND OR NOT is_current;
        RETURN QUERY
        UPDATE public.document AS d SET
            index_status = CASE
                WHEN given.status <> 'indexed' OR d.unread_note IS NULL THEN given.status
                WHEN d.unread_note LIKE 'reading:%' THEN 'pending' ELSE 'failed'
            END,
            index_error = CASE WHEN given.status = 'indexed' THEN coalesce(d.unread_note, given.note) ELSE given.note END,
            chunks = coalesce(given.chunks, d.chunks), state = d.state + 1
        WHERE d.project_id = project AND d.id = given.id
        RETURNING d.id, d.version, d.revision, d.index_status, d.index_error;
        IF given.status = 'pending' THEN
            INSERT INTO public.indexing_attempt (project_id, document_id, revision, attempts, due_at, words)
            SELECT project, d.id, d.revision, 0, now(), true
            FROM public.document AS d WHERE d.project_id = project AND d.id = given.id;
        END IF;
    END LOOP;
END
$$;

GRANT EXECUTE ON FUNCTION wall.projects_to_index, wall.claim_documents, wall.settle_documents TO :runtime_role;
