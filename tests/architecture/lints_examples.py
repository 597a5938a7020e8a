"""Source text that breaks a rule, and similar text that does not."""

from __future__ import annotations

from dataclasses import dataclass

SERVICE = "features/documents/service.py"
REPOSITORY = "features/documents/repository.py"
MODELS = "features/documents/models.py"
ROUTER = "features/documents/router.py"

DOCUMENT = """
class Document(Base):
    __tablename__ = "document"
    __table_args__ = ({"info": {"kind": TableKind.PROJECT}},)
    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
"""
MEMBERSHIP = """
class Membership(Base):
    __tablename__ = "membership"
    __table_args__ = ({"info": {"kind": TableKind.DIRECTORY}},)
    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
"""
PROJECT = """
class Project(Base):
    __tablename__ = "project"
    id: Mapped[UUID] = mapped_column(primary_key=True)
"""
USER = 'class User(Base):\n    __tablename__ = "app_user"\n'


@dataclass(frozen=True)
class Example:
    rule: str
    what: str
    files: dict[str, str]

    @property
    def id(self) -> str:
        return f"{self.rule}: {self.what}"


def one(rule: str, what: str, path: str, text: str) -> Example:
    return Example(rule, what, {path: text})


def query(what: str, text: str, models: str = DOCUMENT) -> Example:
    return Example("project-filter", what, {MODELS: models, REPOSITORY: text})


def query_in_file(what: str, sql: str) -> Example:
    file = "features/documents/sql/statements/all.sql"
    return Example("project-filter", what, {MODELS: DOCUMENT, REPOSITORY: f'ALL = statement("{file}")', file: sql})


def foreign_key(what: str, path: str, text: str) -> Example:
    files = {"features/accounts/models.py": USER, "features/projects/models.py": PROJECT, MODELS: DOCUMENT}
    return Example("foreign-key-order", what, {**files, path: files.get(path, "") + text})


def relationship(what: str, text: str) -> Example:
    files = {"features/projects/models.py": PROJECT, MODELS: DOCUMENT + text}
    return Example("cross-slice-relationship", what, files)


INCORRECT = [
    one("adapter-import", "entry point", "worker.py", "from partywall.adapters.embedded import process\n"),
    one("adapter-import", "supervisor", "supervisor/serve.py", "from partywall.adapters.blobs import directory\n"),
    one("any", "argument", SERVICE, "def f(x: dict[str, Any]) -> None: ..."),
    one("any", "return", SERVICE, "def f() -> list[typing.Any]: ..."),
    one("any", "keyword arguments", SERVICE, "def f(**kwargs: Any) -> None: ..."),
    one("any", "field", SERVICE, "class A:\n    x: Any\n"),
    one("cache-key", "f-string", SERVICE, "async def f(cache, i):\n    await cache.get(f'proj:{i}:stats')\n"),
    one("cache-key", "constant", SERVICE, "async def f(self):\n    await self.cache.set('stats', b'')\n"),
    one("cache-key", "plus", SERVICE, "async def f(self, i):\n    await self._cache.incr('hits:' + i)\n"),
    one("cache-key", "format", SERVICE, "async def f(pubsub, i):\n    await pubsub.subscribe('{}'.format(i))\n"),
    one("cache-key", "str", SERVICE, "async def f(pipeline, i):\n    await pipeline.publish(str(i), 1)\n"),
    one("cache-key", "through a name", SERVICE, "async def f(cache, i):\n    k = f'{i}'\n    await cache.get(k)\n"),
    one("cache-key", "bytes by keyword", SERVICE, "async def f(redis, i):\n    await redis.get(name=b'%d' % i)\n"),
    one("cache-key", "type forged", SERVICE, "x = CacheKey('proj')\n"),
    one("cache-key", "own helper", SERVICE, "from redis.asyncio import Redis\ndef k(i):\n    return f'proj:{i}'\n"),
    one("clock", "now", SERVICE, "x = datetime.now(UTC)"),
    one("clock", "module-qualified now", SERVICE, "x = datetime.datetime.now(UTC)"),
    one("clock", "epoch", SERVICE, "x = time.time()"),
    one("clock", "imported epoch", SERVICE, "from time import time\n"),
    one("cookies", "any client", SERVICE, "def f():\n    return httpx2.AsyncClient(timeout=60)\n"),
    one("cookies", "of a library", SERVICE, "def f():\n    return create_async_httpx2_client()\n"),
    one("cookies", "refused by another", SERVICE, "def f():\n    return no_cookies()\ndef g():\n    return Client()\n"),
    relationship(
        "other slice",
        '    project: Mapped["Project"] = relationship("Project", lazy="raise")\n',
    ),
    relationship("lazy load", '    parent: Mapped["Document"] = relationship("Document")\n'),
    one("dropped-cause", "core", "core/budget.py", "def f():\n    try: g()\n    except E: raise F from None\n"),
    one("dropped-cause", "where it depends", SERVICE, "def f(e):\n    raise F from e if e.harmless else None\n"),
    one("dropped-cause", "client", "client/api.py", "def f(e):\n    raise ClientError('away') from None\n"),
    one("dropped-cause", "a command's own error", "commands/search.py", "def f():\n    raise OwnError('x') from None\n"),
    one("dropped-cause", "a refusal elsewhere", SERVICE, "def f():\n    raise UsageError('x') from None\n"),
    one("dropped-cause", "by hand", SERVICE, "def f(e):\n    e.__suppress_context__ = True\n    raise e\n"),
    one("environ", "environ", SERVICE, "x = os.environ['X']"),
    one("environ", "imported getenv", SERVICE, "from os import getenv\n"),
    one("file-size", "300 lines", SERVICE, "x = 1\n" * 300),
    foreign_key("upwards", "features/accounts/models.py", '\nx = ForeignKey("document.id")\n'),
    foreign_key(
        "upwards, composite",
        "features/projects/models.py",
        '\nx = ForeignKeyConstraint(["project_id", "d"], ["document.project_id", "document.id"])\n',
    ),
    foreign_key("core to a slice", "core/events/models.py", 'x = ForeignKey("document.id")\n'),
    one("function-size", "40 lines", SERVICE, "def f() -> None:\n" + "    x = 1\n" * 40),
    one("generic-write", "unpacked", REPOSITORY, "def f(s, values):\n    return update(T).values(**values, n=1)\n"),
    one("generic-write", "whole", REPOSITORY, "def f(s, decided):\n    return update(T).values(decided)\n"),
    one("generic-write", "keywords", REPOSITORY, "def f(s, **values):\n    return update(T).values(**values)\n"),
    one("http-exception", "service", SERVICE, "from starlette.exceptions import HTTPException\n"),
    one("http-exception", "router", ROUTER, "from fastapi import HTTPException\n"),
    one("ids", "uuid4", SERVICE, "x = uuid.uuid4()"),
    one("ids", "imported uuid7", SERVICE, "from uuid_utils.compat import uuid7\n"),
    one("import-in-function", "import", SERVICE, "def f() -> None:\n    import json\n"),
    one("module-state", "client", SERVICE, "client = httpx2.AsyncClient()"),
    one("module-state", "app outside asgi", "main.py", "app = FastAPI()"),
    one("module-state", "registry to be filled", SERVICE, "CACHE: dict[str, str] = {}"),
    one("module-state", "global", SERVICE, "def f() -> None:\n    global x\n    x = 1\n"),
    one("patterns", "compiled", SERVICE, "import re\n_WORD: Final = re.compile('a')\n"),
    one("patterns", "used at once", SERVICE, "import re\ndef f(x: str) -> str:\n    return re.sub('a+', 'b', x)\n"),
    one("patterns", "by its own name", SERVICE, "from re import compile\nWORD = compile('a')\n"),
    one("patterns", "a constraint", SERVICE, "Word = Annotated[str, StringConstraints(pattern='^a+$')]\n"),
    one("patterns", "a parser", SERVICE, "def f(x: str) -> object:\n    return LexborHTMLParser(x)\n"),
    one("patterns", "a method", SERVICE, "def f(x: str) -> object:\n    return datetime.fromisoformat(x)\n"),
    one("print", "print", SERVICE, "print('x')"),
    one("print", "stream", SERVICE, "sys.stderr.write('x')"),
    one("raw-echo", "typer", "commands/users.py", "typer.echo(user.full_name)"),
    one("raw-echo", "print", "cli.py", "print('x')"),
    one("raw-echo", "rich", "commands/search.py", "console.print(hit.title)"),
    one("raw-echo", "stream", "commands/search.py", "sys.stdout.write(hit.title)"),
    query("select", "async def f(s):\n    return await s.scalars(select(Document).where(Document.id == 1))\n"),
    query("column select", "x = select(Document.id, Document.title).order_by(Document.id)\n"),
    query("update", "x = update(Document).where(Document.id == 1).values(project_id=2)\n"),
    query("delete", "x = delete(Document)\n"),
    query("identity", "async def f(s):\n    return await s.get(Document, 1)\n"),
    query("filter on another table's column only", "x = select(Document).where(Document.status == 'draft')\n"),
    query("SQL text", "X = text('SELECT id FROM document WHERE id = :id')\n"),
    query_in_file("SQL in a file", "-- all\nSELECT id FROM document\n"),
    query("SQL update", "X = 'UPDATE document SET title = $1 WHERE id = $2'\n"),
    query("SQL with", "X = 'WITH found AS (SELECT id FROM document) SELECT * FROM found'\n"),
    query("mixin", "x = select(Note)\n", "class Scoped:\n    project_id: Mapped[UUID] = mapped_column()\n"
          'class Note(Scoped, Base):\n    __tablename__ = "note"\n'),
    query("table without a kind", "x = select(A)\n", 'A = Table("a", metadata, Column("project_id", Uuid))\n'),
    Example("project-scope", "bare id", {
        MODELS: DOCUMENT,
        REPOSITORY: "class DocumentRepository:\n    def __init__(self, session: S, project_id: UUID): ...\n",
    }),
    Example("project-scope", "dataclass", {
        MODELS: DOCUMENT, REPOSITORY: "@dataclass\nclass DocumentRepository:\n    session: AsyncSession\n",
    }),
    Example("project-scope", "split repository", {
        MODELS: DOCUMENT,
        "features/documents/version_repository.py": "@dataclass\nclass Versions:\n    session: AsyncSession\n",
    }),
    Example("project-scope", "another name", {
        MODELS: DOCUMENT, REPOSITORY: "@dataclass\nclass DocumentWriter:\n    session: AsyncSession\n",
    }),
    one("scope-maker", "a service", SERVICE, "scope = make_scope(id_, principal, 'owner')\n"),
    one("scope-maker", "its class", SERVICE, "scope = SharedScope(id_, principal, Role.OWNER, seal)\n"),
    one("scope-maker", "a lock that nobody took", "core/jobs/context.py", "scope = sealed_scope(SharedScope, id_, principal, role)\n"),
    one("slice-layer", "repository", REPOSITORY, "from partywall.features.documents.schemas import Document\n"),
    one("slice-layer", "split repository", "features/documents/version_repository.py", "from partywall.features.documents import schemas\n"),
    one("slice-layer", "use case", "features/documents/restoring.py", "from partywall.features.documents import dependencies\n"),
    one("settings-import", "service", SERVICE, "from partywall.settings import Settings\n"),
    one("settings-import", "adapter", "adapters/mail/smtp.py", "from partywall.settings import Settings\n"),
    one("slice-order", "a higher slice", SERVICE, "from partywall.features.search.schemas import SearchHit\n"),
    one("slice-order", "an unlisted slice", SERVICE, "import partywall.features.unlisted.service\n"),
    one("slice-private", "repository", SERVICE, "from partywall.features.projects.repository import Projects\n"),
    one("slice-private", "module import", SERVICE, "from partywall.features.projects import models\n"),
    one("slice-private", "plain import", "worker.py", "import partywall.features.projects.models\n"),
    one("slice-private", "split", SERVICE, "from partywall.features.projects.member_repository import M\n"),
    one("slice-private", "nested", SERVICE, "from partywall.features.projects.members.member_repository import M\n"),
    one("sql-text", "f-string", REPOSITORY, "def f(t):\n    return text(f'SELECT * FROM {t}')\n"),
    one("sql-text", "percent", REPOSITORY, "async def f(c, t):\n    await c.execute('SELECT %s' % t)\n"),
    one("sql-text", "plus", REPOSITORY, "async def f(c, t):\n    await c.fetchrow('SELECT ' + t)\n"),
    one("sql-text", "format", REPOSITORY, "async def f(c, t):\n    await c.exec_driver_sql('{}'.format(t))\n"),
    one("sql-text", "through a name", REPOSITORY, "def f(t):\n    q = f'SELECT {t}'\n    return text(q)\n"),
    one("stand-in", "mock", SERVICE, "from unittest.mock import AsyncMock\n"),
    one("stand-in", "stub", SERVICE, "def f():\n    raise NotImplementedError('later')\n"),
    one("transaction", "commit", SERVICE, "async def f(s):\n    await s.commit()\n"),
    one("transaction", "rollback handed on", SERVICE, "def f(s):\n    return s.rollback\n"),
    one("untracked-task", "asyncio", SERVICE, "task = asyncio.create_task(f())"),
    one("untracked-task", "loop", SERVICE, "task = asyncio.get_running_loop().create_task(f())"),
    one("untracked-task", "imported", SERVICE, "task = create_task(f())"),
    one("schema-home", "core", "core/http/health.py", "class Alive(BaseModel): ...\n"),
    one("schema-home", "module", SERVICE, "class Body(pydantic.BaseModel): ...\n"),
    Example("schema-home", "by another class", {
        "core/schemas.py": "class ResponseModel(BaseModel): ...\nclass Page[T](ResponseModel): ...\n",
        "features/agents/builtin/answer.py": "class Answers(Page[Answer]): ...\n",
    }),
    one("untracked-task", "gather", SERVICE, "async def f():\n    await asyncio.gather(g(), h())\n"),
    one("untracked-task", "imported gather", SERVICE, "async def f():\n    await gather(g(), h())\n"),
    one("web-framework", "service", SERVICE, "from fastapi import Request\n"),
    one("web-framework", "adapter", "adapters/mail/smtp.py", "import starlette.datastructures\n"),
]  # fmt: skip

CORRECT = [
    one("adapter-import", "resources", "resources.py", "from partywall.adapters.blobs import directory\n"),
    one("adapter-import", "supervisor", "supervisor/serve.py", "from partywall.adapters.embedded import process\n"),
    one("any", "object", SERVICE, "def f(x: dict[str, object]) -> JsonValue: ...\nAnyone = str\n"),
    one("cache-key", "the one place", "core/cache_keys.py", "def k(scope):\n    return CacheKey(f'proj:{scope}:x')\n"),
    one("cache-key", "a named key", SERVICE, "async def f(cache, t):\n    await cache.get(cache_keys.ticket(t))\n"),
    one("cache-key", "a name from elsewhere", SERVICE, "async def f(pipeline, key):\n    await pipeline.publish(key, 1)\n"),
    one("cache-key", "a mapping's get", SERVICE, "x = headers.get(f'x-{name}')\n"),
    one("cache-key", "a message", SERVICE, "from redis.asyncio import Redis\nx = f'at most {n} of them: fewer'\n"),
    one("clock", "the clock itself", "core/clock.py", "def utc_now():\n    return datetime.now(UTC)\n"),
    one("clock", "monotonic", SERVICE, "x = time.monotonic()"),
    one("cookies", "refused", SERVICE, "def f():\n    return httpx2.Client(cookies=no_cookies())\n"),
    one("cookies", "refused afterwards", SERVICE, "def f():\n    c = AsyncClient()\n    c.cookies = no_cookies()\n"),
    relationship("own slice", '    parent: Mapped["Document"] = relationship("Document", lazy="raise")\n'),
    one("dropped-cause", "kept", SERVICE, "def f():\n    try: g()\n    except E as error: raise F from error\n"),
    one("dropped-cause", "a person's one line", "commands/search.py", "def f():\n    raise UsageError('x') from None\n"),
    one("environ", "entry point", "cli.py", "x = os.environ['X']"),
    one("file-size", "299 lines", SERVICE, "x = 1\n" * 299),
    foreign_key("downwards", MODELS, '\nx = ForeignKey("project.id")\ny = ForeignKey("app_user.id")\n'),
    foreign_key("own", MODELS, '\nx = ForeignKey("document.id")\n'),
    foreign_key("core to the project", "core/events/models.py", 'x = ForeignKey("project.id")\n'),
    one("function-size", "39 lines", SERVICE, "def f() -> None:\n" + "    x = 1\n" * 39),
    one("generic-write", "typed", REPOSITORY, "def f(s, name):\n    return update(T).values(name=name)\n"),
    one("generic-write", "its own", REPOSITORY, "def f(s, change):\n    return update(T).values(**_columns(change))\n"),
    one("http-exception", "the handler", "core/http/problems.py", "from starlette.exceptions import HTTPException\n"),
    one("ids", "ids themselves", "core/ids.py", "from uuid_utils import compat\nx = compat.uuid7()\n"),
    one("ids", "the type", SERVICE, "from uuid import UUID\nx = UUID('0')\n"),
    one("import-in-function", "top", SERVICE, "import json\ndef f() -> None: ...\n"),
    one("module-state", "constants", SERVICE, "LIMIT = 5\nNAMES = ('a',)\nTABLE = {'a': 1}\n"),
    one("module-state", "the one app", "asgi.py", "app = create_app(Settings())"),
    one("module-state", "inside a function", SERVICE, "def f():\n    seen = {}\n    return AsyncClient()\n"),
    one("patterns", "known", "core/log_masks.py", "import re\n_WORD: Final = re.compile('a')\n"),
    one("patterns", "a constant", SERVICE, "ZERO: Final = Decimal('0')\n"),
    one("patterns", "of another kind", SERVICE, "def f(cache: Cache) -> None:\n    cache.search('a')\n"),
    one("print", "command line", "commands/terminal.py", "print('x')"),
    one("raw-echo", "the one way", "commands/terminal.py", "typer.echo(printable(line))"),
    one("raw-echo", "say", "commands/users.py", "say(user.full_name)"),
    query("where", "x = select(Document).where(Document.project_id == scope.project_id, Document.id == 1)\n"),
    query("built in steps", "def f(scope):\n    q = select(Document)\n"
          "    return q.where(Document.project_id == scope.project_id)\n"),
    query("keyword", "x = select(Document).filter_by(project_id=1)\n"),
    query("SQL text", "X = text('SELECT id FROM document WHERE project_id = :project_id')\n"),
    query_in_file("SQL in a file", "-- all\nSELECT id FROM document WHERE project_id = :project_id\n"),
    query("directory table", "x = select(Membership).where(Membership.user_id == 1)\n", MEMBERSHIP),
    query("a mapping's get", "x = names.get(Document)\n"),
    query("prose", "X = 'Delete a document'\n"),
    one("scope-maker", "a resolver", "core/db/scopes.py", "scope = sealed_scope(SharedScope, id_, principal, role)\n"),
    Example("project-scope", "parameter", {
        MODELS: DOCUMENT,
        REPOSITORY: "class DocumentRepository:\n    def __init__(self, session: S, scope: ProjectScope): ...\n",
    }),
    Example("project-scope", "dataclass", {
        MODELS: DOCUMENT, REPOSITORY: "@dataclass\nclass DocumentRepository:\n    scope: SharedScope\n",
    }),
    Example("project-scope", "no project tables", {
        "features/accounts/models.py": USER,
        "features/accounts/repository.py": "class UserRepository:\n    def __init__(self, session: S): ...\n",
    }),
    one("slice-layer", "router", ROUTER, "from partywall.features.documents.schemas import Document\n"),
    one("slice-layer", "split router", "features/documents/read_router.py", "from partywall.features.documents import service\n"),
    one("slice-layer", "another slice", SERVICE, "from partywall.features.projects import dependencies\n"),
    one("settings-import", "entry point", "worker.py", "from partywall.settings import Settings\n"),
    one("slice-order", "a lower slice", SERVICE, "from partywall.features.live.service import LiveService\n"),
    one("slice-order", "own", SERVICE, "from partywall.features.documents import schemas\n"),
    one("slice-private", "own", SERVICE, "from partywall.features.documents.repository import Documents\n"),
    one("slice-private", "service", SERVICE, "from partywall.features.projects.service import ProjectService\n"),
    one("sql-text", "parameters", REPOSITORY, "X = text('SELECT * FROM t WHERE id = :id')\n"),
    one("sql-text", "constants only", REPOSITORY, "X = text(f'SELECT {COLUMNS} FROM t')\n"),
    one("sql-text", "an HTTP stream", "client/events.py", "def f(api, i):\n    return api.stream(f'/p/{i}')\n"),
    one("sql-text", "another's text", REPOSITORY, "def f(t):\n    return render(f'SELECT {t}')\n"),
    one("stand-in", "a protocol", SERVICE, "class P(Protocol):\n    def f(self) -> int: ...\n"),
    one("transaction", "core/db", "core/db/session.py", "async def f(s):\n    await s.commit()\n"),
    one("transaction", "hook", SERVICE, "def f(s):\n    before_commit(s, hook)\n"),
    one("untracked-task", "group", SERVICE, "async def f(group):\n    group.create_task(g())\n"),
    one("schema-home", "its home", "features/agents/builtin/schemas.py", "class Answer(BaseModel): ...\n"),
    one("schema-home", "an adapter's own", "adapters/embeddings/openai.py", "class _Answer(BaseModel): ...\n"),
    Example("schema-home", "a job", {
        "core/jobs/kinds.py": "class JobPayload(BaseModel): ...\n",
        "features/documents/jobs.py": "class IndexDocuments(JobPayload): ...\n",
    }),
    Example("schema-home", "a table of the same name", {
        "features/documents/schemas.py": "class Document(BaseModel): ...\n", MODELS: "class Document(Base): ...\n",
    }),
    one("web-framework", "router", ROUTER, "from fastapi import APIRouter\n"),
    one("web-framework", "split router", "features/documents/upload_router.py", "from fastapi import APIRouter\n"),
    one("web-framework", "core/http", "core/http/problems.py", "from starlette.requests import Request\n"),
]  # fmt: skip
