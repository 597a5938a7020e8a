-- The schema of the wall's functions. Rights are granted one by one: PUBLIC has none, and only the owner creates.
--
-- The policies of the tables: `wall` admits the bound project, `own` the caller's own rows. Those TO CURRENT_USER are
-- for the owner's SECURITY DEFINER functions, which do one narrow task for all projects. Restrictive ones take away
-- more.
CREATE SCHEMA wall;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA wall, public TO :runtime_role;
GRANT SELECT ON alembic_version TO :runtime_role;
