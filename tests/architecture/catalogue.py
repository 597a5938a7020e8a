"""What PostgreSQL's catalogue says about our schema."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import asyncpg

from partywall.testing.engines import RUNTIME, DatabaseUrls, Urls, create_database, create_extensions

# Everything that a migration can make, without what belongs to extensions. The order of columns does not count.
_CATALOGUE = """
    WITH relation AS (
        SELECT * FROM pg_class WHERE relnamespace IN ('public'::regnamespace, to_regnamespace('wall'))
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
    )
    SELECT concat_ws(' ', 'relation', relname, relkind, relowner::regrole, relrowsecurity, relforcerowsecurity, relacl,
        reloptions) FROM relation
    UNION ALL
    SELECT concat_ws(' ', 'column', relname, attname, format_type(atttypid, atttypmod), attnotnull, attidentity,
        attgenerated, attcollation::regcollation, attstorage, pg_get_expr(adbin, adrelid), attacl)
        FROM relation JOIN pg_attribute ON attrelid = relation.oid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT concat_ws(' ', 'constraint', relname, conname, convalidated, pg_get_constraintdef(con.oid))
        FROM pg_constraint AS con JOIN relation ON relation.oid = conrelid
    UNION ALL
    SELECT concat_ws(' ', 'index', pg_get_indexdef(relation.oid)) FROM relation WHERE relkind = 'i'
    UNION ALL
    SELECT concat_ws(' ', 'policy', relname, polname, polcmd, polpermissive, polroles::regrole[],
        pg_get_expr(polqual, polrelid), 'check', pg_get_expr(polwithcheck, polrelid))
        FROM pg_policy JOIN relation ON relation.oid = polrelid
    UNION ALL
    SELECT concat_ws(' ', 'trigger', tgenabled, pg_get_triggerdef(pg_trigger.oid))
        FROM pg_trigger JOIN relation ON relation.oid = tgrelid WHERE NOT tgisinternal
    UNION ALL
    SELECT concat_ws(' ', 'function', pg_get_functiondef(pg_proc.oid), proowner::regrole, proacl) FROM pg_proc
        WHERE pronamespace IN ('public'::regnamespace, to_regnamespace('wall')) AND prokind = 'f'
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
    UNION ALL
    SELECT concat_ws(' ', 'type', typname, typtype, typowner::regrole, typacl) FROM pg_type
        WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_type.oid AND deptype = 'e')
    UNION ALL
    SELECT concat_ws(' ', 'text search', cfgname, cfgowner::regrole, maptokentype, mapseqno, mapdict::regdictionary)
        FROM pg_ts_config JOIN pg_ts_config_map ON mapcfg = pg_ts_config.oid
        WHERE cfgnamespace = 'public'::regnamespace
    UNION ALL
    SELECT concat_ws(' ', 'schema', nspname, nspowner::regrole, nspacl) FROM pg_namespace
        WHERE nspname IN ('public', 'wall')
    UNION ALL
    SELECT concat_ws(' ', 'default rights', defaclrole::regrole, defaclobjtype, defaclacl) FROM pg_default_acl
"""


_NOT_MADE_YET = (
    asyncpg.UndefinedFunctionError, asyncpg.UndefinedObjectError, asyncpg.UndefinedTableError,
    asyncpg.InvalidSchemaNameError,
)  # fmt: skip


async def catalogue(database: DatabaseUrls) -> set[str]:
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.superuser))
    try:
        return {row[0] for row in await connection.fetch(_CATALOGUE)}
    finally:
        await connection.close()


async def made_from_files(engines: Urls, package: Path) -> DatabaseUrls:
    """A database whose schema is what the package's SQL files say now."""
    name = f"partywall_files_{uuid4().hex[:12]}"
    await create_database(engines, name)
    database = engines.database(name)
    await create_extensions(database)
    owner = await asyncpg.connect(DatabaseUrls.dsn(database.owner))
    try:
        await owner.execute(
            "CREATE TABLE alembic_version (version_num varchar(32) CONSTRAINT alembic_version_pkc"
            " PRIMARY KEY); SET check_function_bodies = off"
        )
        left = sorted(package.rglob("sql/*.sql"))
        while left:
            failed = [path for path in left if not await _runs(owner, path)]
            assert len(failed) < len(left), f"{failed[0]} does not run after all others"
            left = failed
        await owner.execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA wall FROM PUBLIC")
    finally:
        await owner.close()
    return database


async def _runs(owner: asyncpg.Connection, path: Path) -> bool:
    """False if the file needs something that another file makes."""
    try:
        async with owner.transaction():
            await owner.execute(path.read_text().replace(":runtime_role", RUNTIME))
    except _NOT_MADE_YET:
        return False
    return True


def differences(migrated: set[str], files: set[str]) -> Sequence[str]:
    return [f"only migrated: {each}" for each in sorted(migrated - files)] + [
        f"only in the files: {each}" for each in sorted(files - migrated)
    ]
