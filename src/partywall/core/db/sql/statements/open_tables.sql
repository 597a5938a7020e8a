-- The tables in which a caller may see rows of others, and whether they have a project_id. Without a policy, a table
-- with forced row-level security shows nothing. No caller is the owner, whose functions may have policies of their own.
SELECT relname, EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'project_id') AS is_project
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND (
    NOT (relrowsecurity AND relforcerowsecurity)
    OR EXISTS (
        SELECT FROM pg_policy,
            unnest(ARRAY[pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)]) AS condition
        WHERE polrelid = pg_class.oid AND polpermissive AND polroles <> ARRAY[relowner]
            AND condition NOT LIKE '%wall.current\_%'
    )
)
ORDER BY relname
