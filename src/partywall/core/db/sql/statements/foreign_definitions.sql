-- Everything in the database that does not belong to the feature, with a digest of its definition. A feature owns only
-- objects of the schema `public`. Statistics, and the triggers by which PostgreSQL checks foreign keys, change with
-- other tables. Of what all databases of a server share, only what concerns this database or this role: others may
-- change the rest at the same time.
WITH space AS (
    SELECT oid FROM pg_namespace WHERE NOT starts_with(nspname, 'pg_') AND nspname <> 'information_schema'
), named (oid, space, name, definition) AS NOT MATERIALIZED (
    SELECT oid, relnamespace, relname::text, to_jsonb(pg_class) - ARRAY['relpages', 'reltuples', 'relallvisible',
        'relallfrozen', 'relfrozenxid', 'relminmxid', 'relhastriggers', 'relhasindex'] FROM pg_class
    UNION ALL SELECT oid, pronamespace, proname::text, to_jsonb(pg_proc) FROM pg_proc
    UNION ALL SELECT oid, typnamespace, ltrim(typname, '_'), to_jsonb(pg_type) FROM pg_type -- arrays begin with _
    UNION ALL SELECT oid, oprnamespace, oprname::text, to_jsonb(pg_operator) FROM pg_operator
    UNION ALL SELECT oid, opcnamespace, opcname::text, to_jsonb(pg_opclass) FROM pg_opclass
    UNION ALL SELECT oid, opfnamespace, opfname::text, to_jsonb(pg_opfamily) FROM pg_opfamily
    UNION ALL SELECT oid, collnamespace, collname::text, to_jsonb(pg_collation) FROM pg_collation
    UNION ALL SELECT oid, connamespace, conname::text, to_jsonb(pg_conversion) FROM pg_conversion
    UNION ALL SELECT oid, cfgnamespace, cfgname::text, to_jsonb(pg_ts_config) FROM pg_ts_config
    UNION ALL SELECT oid, dictnamespace, dictname::text, to_jsonb(pg_ts_dict) FROM pg_ts_dict
    UNION ALL SELECT oid, stxnamespace, stxname::text, to_jsonb(pg_statistic_ext) FROM pg_statistic_ext
), other AS (
    SELECT oid, name, definition FROM named
    WHERE space IN (SELECT oid FROM space)
        AND NOT (space = 'public'::regnamespace AND (name = :feature OR starts_with(name, :prefix)))
), part (whole, name, definition) AS (
    SELECT attrelid, attnum::text, to_jsonb(pg_attribute) FROM pg_attribute WHERE attnum > 0
    UNION ALL SELECT adrelid, oid::text, to_jsonb(pg_attrdef) FROM pg_attrdef
    UNION ALL SELECT greatest(conrelid, contypid), conname, to_jsonb(pg_constraint) FROM pg_constraint
    UNION ALL SELECT polrelid, polname, to_jsonb(pg_policy) FROM pg_policy
    UNION ALL SELECT tgrelid, tgname, to_jsonb(pg_trigger) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT indrelid, indexrelid::text, to_jsonb(pg_index) FROM pg_index
    UNION ALL SELECT ev_class, rulename, to_jsonb(pg_rewrite) FROM pg_rewrite
    UNION ALL SELECT stxrelid, stxname, to_jsonb(pg_statistic_ext) FROM pg_statistic_ext
    UNION ALL SELECT seqrelid, 'sequence', to_jsonb(pg_sequence) FROM pg_sequence
    UNION ALL SELECT enumtypid, enumlabel, to_jsonb(pg_enum) FROM pg_enum
    UNION ALL SELECT cfg.mapcfg, cfg.maptokentype::text, to_jsonb(cfg) FROM pg_ts_config_map AS cfg
    UNION ALL SELECT relid, 'rows', to_jsonb(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables
), me AS (
    SELECT oid FROM pg_roles WHERE rolname = current_user
), comment AS (
    SELECT array_to_string(object_names, '.') AS name, description
    FROM pg_description, pg_identify_object_as_address(classoid, objoid, objsubid)
    WHERE objoid >= 16384 OR objoid = 'public'::regnamespace -- not those of PostgreSQL
)
SELECT name, 'whole', md5(definition::text) FROM other
UNION ALL SELECT other.name, part.name, md5(part.definition::text) FROM part JOIN other ON other.oid = part.whole
UNION ALL SELECT 'the comment on ' || name, '', md5(description) FROM comment
    WHERE NOT (name ^@ ('public.' || :prefix) OR name = 'public.' || :feature OR name ^@ ('public.' || :feature || '.'))
UNION ALL SELECT 'the schema ' || nspname, '', md5(to_jsonb(pg_namespace)::text) FROM pg_namespace
    WHERE oid IN (SELECT oid FROM space)
UNION ALL SELECT 'the extension ' || extname, '', md5(to_jsonb(pg_extension)::text) FROM pg_extension
UNION ALL SELECT 'the language ' || lanname, '', md5(to_jsonb(pg_language)::text) FROM pg_language
UNION ALL SELECT 'a cast', oid::text, md5(to_jsonb(pg_cast)::text) FROM pg_cast
UNION ALL SELECT 'default privileges', oid::text, md5(to_jsonb(pg_default_acl)::text) FROM pg_default_acl
UNION ALL SELECT 'the publication ' || pubname, '', md5(to_jsonb(pg_publication)::text) FROM pg_publication
UNION ALL SELECT 'a publication', oid::text, md5(to_jsonb(pg_publication_rel)::text) FROM pg_publication_rel
UNION ALL SELECT 'a trigger of events', oid::text, md5(to_jsonb(pg_event_trigger)::text) FROM pg_event_trigger
UNION ALL SELECT 'a foreign server', oid::text, md5(to_jsonb(pg_foreign_server)::text) FROM pg_foreign_server
UNION ALL SELECT 'the database', '', md5((to_jsonb(pg_database) - ARRAY['datfrozenxid', 'datminmxid'])::text)
    FROM pg_database WHERE datname = current_database()
UNION ALL SELECT 'the role ' || rolname, '', md5(to_jsonb(pg_roles)::text) FROM pg_roles WHERE rolname = current_user
UNION ALL SELECT 'the settings of a role or database', setrole::text, md5(setconfig::text) FROM pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
        OR (setdatabase = 0 AND setrole IN (SELECT oid FROM me))
UNION ALL SELECT 'the members of a role', roleid::text, md5(to_jsonb(pg_auth_members)::text) FROM pg_auth_members
    WHERE (SELECT oid FROM me) IN (roleid, member)
