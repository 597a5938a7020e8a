#!/bin/sh
# Runs once, in a new database container: creates the roles, database and extensions of docs/how-to/servers.md.
set -eu

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set owner_password="$PARTYWALL_OWNER_PASSWORD" --set app_password="$PARTYWALL_APP_PASSWORD" <<'SQL'
CREATE ROLE partywall_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
    PASSWORD :'owner_password';
CREATE ROLE partywall_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT
    PASSWORD :'app_password';
CREATE DATABASE partywall OWNER partywall_owner TEMPLATE template0 ENCODING 'UTF8'
    LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C' LC_CTYPE 'C.UTF-8';
REVOKE ALL ON DATABASE partywall FROM PUBLIC;
GRANT CONNECT ON DATABASE partywall TO partywall_app;
\connect partywall
CREATE EXTENSION vector;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION unaccent;
CREATE EXTENSION btree_gin;
SQL
