-- The schema of the wall's functions. Rights are granted one by one: PUBLIC has none, and only the owner creates.
CREATE SCHEMA wall;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA wall, public TO :runtime_role;
GRANT SELECT ON alembic_version TO :runtime_role;
