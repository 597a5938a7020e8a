-- The innermost reads depend on `opened`, as in a `ScopedQuery.read`.
-- Roles and events are of one snapshot: a caller who was removed sees no event after the removal.
SELECT opened.wall_role, found.*
FROM wall.open_scope(:principal, :project_id) AS opened(wall_role) LEFT JOIN LATERAL (
    SELECT counter.last, counter.oldest, roles.held,
        batch.found, batch.ids, batch.types, batch.subjects, batch.frames
    FROM event_counter AS counter,
        LATERAL (
            SELECT array_agg(
                CASE WHEN caller.session IS NULL OR wall.is_not_revoked(substr(caller.name, 6)::uuid,
                    caller.session)
                    THEN wall.role_of(caller.name, :project_id) END ORDER BY caller.number
            ) AS held
            FROM unnest(CAST(:callers AS text[]), CAST(:sessions AS uuid[]))
                WITH ORDINALITY AS caller(name, session, number)
        ) AS roles,
        LATERAL (
            SELECT count(*) AS found, array_agg(id ORDER BY id) FILTER (WHERE before < :batch_bytes) AS ids,
                array_agg(type ORDER BY id) FILTER (WHERE before < :batch_bytes) AS types,
                array_agg(subject_id ORDER BY id) FILTER (WHERE before < :batch_bytes) AS subjects,
                array_agg(frame ORDER BY id) FILTER (WHERE before < :batch_bytes) AS frames
            FROM (
                SELECT framed.*, sum(octet_length(frame)) OVER (ORDER BY id) - octet_length(frame) AS before
                FROM (
                SELECT event.id, event.type, event.subject_id, concat(
                    'id: ', event.id, E'\nevent: ', event.type, E'\ndata: ', json_build_object(
                        'id', event.id, 'type', event.type, 'project_id', event.project_id,
                        'at', to_char(event.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                        'actor', event.actor,
                        'subject', json_build_object('kind', event.subject_kind, 'id', event.subject_id),
                        'data', event.data
                    ), E'\n\n'
                ) AS frame
                FROM event
                WHERE event.project_id = :project_id AND opened.wall_role IS NOT NULL
                    AND event.id > greatest(:after, counter.oldest - 1)
                    AND event.id <= greatest(:after, counter.oldest - 1) + :span
                    AND (
                        CAST(:names AS text[]) IS NULL OR event.type = ANY (:names)
                        OR split_part(event.type, '.', 1) = ANY (:groups)
                    )
                    AND (CAST(:subject AS text) IS NULL OR event.subject_id = :subject)
                ORDER BY event.id LIMIT :limit
                ) AS framed
            ) AS measured
        ) AS batch
    WHERE counter.project_id = :project_id AND opened.wall_role IS NOT NULL
    OFFSET 0
) AS found ON true
