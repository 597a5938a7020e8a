-- Everything in the database that does not belong to the feature, with a digest of its definition. A feature owns only
-- objects of the schema `public`. Statistics, and the triggers by which PostgreSQL checks foreign keys, change with
-- other tables.
WITH space AS (
    SELECT oid FROM pg_namespace WHERE NOT starts_with(nspname, 'pg_') AND nspname <> 'information_schema'
), other AS (
    SELECT oid, relname, to_jsonb(pg_class) - ARRAY['relpages', 'reltuples', 'relallvisible', 'relallfrozen',
        'relfrozenxid', 'relminmxid', 'relhastriggers', 'relhasindex'] AS definition
    FROM pg_class
    WHERE relnamespace IN (SELECT oid FROM space)
        AND NOT (relnamespace = 'public'::regnamespace AND (relname = :feature OR starts_with(relname, :prefix)))
), part AS (
    SELECT attrelid AS relation, attnum::text AS name, to_jsonb(pg_attribute) AS definition
    FROM pg_attribute WHERE attnum > 0
    UNION ALL SELECT adrelid, oid::text, to_jsonb(pg_attrdef) FROM pg_attrdef
    UNION ALL SELECT conrelid, conname, to_jsonb(pg_constraint) FROM pg_constraint
    UNION ALL SELECT polrelid, polname, to_jsonb(pg_policy) FROM pg_policy
    UNION ALL SELECT tgrelid, tgname, to_jsonb(pg_trigger) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT indrelid, indexrelid::text, to_jsonb(pg_index) FROM pg_index
    UNION ALL SELECT ev_class, rulename, to_jsonb(pg_rewrite) FROM pg_rewrite
    UNION ALL SELECT relid, 'rows', to_jsonb(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables
)
SELECT relname, 'relation', md5(definition::text) FROM other
UNION ALL SELECT relname, part.name, md5(part.definition::text) FROM part JOIN other ON other.oid = part.relation
UNION ALL SELECT proname, oid::text, md5(to_jsonb(pg_proc)::text) FROM pg_proc
    WHERE pronamespace IN (SELECT oid FROM space)
        AND NOT (pronamespace = 'public'::regnamespace AND (proname = :feature OR starts_with(proname, :prefix)))
UNION ALL SELECT 'default privileges', oid::text, md5(to_jsonb(pg_default_acl)::text) FROM pg_default_acl
UNION ALL SELECT nspname, 'schema', md5(nspacl::text) FROM pg_namespace WHERE oid IN (SELECT oid FROM space)
