"""Prints the files of ours that run in one request: a small JSON document posted by its owner, answered with 201.

The request is warm (the third of its kind) and goes from the ASGI application to the last byte of its answer, through
all middleware. Work that the request only enqueues, and the server's own protocol classes, do not count.
The route's part is what code of the feature itself runs or calls; the rest runs for every route alike.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FrameType

from asgi_lifespan import LifespanManager

import partywall
from partywall.main import create_app
from partywall.settings import Settings
from partywall.testing.engines import new_database, shared_engines
from partywall.testing.users import Person, Users

# Beside an installed package are those of others.
PACKAGE = Path(partywall.__file__).parent
FEATURES = str(PACKAGE / "features")


class Trace:
    """The code that runs in the task of a request; `of_route` is that which a feature runs or calls."""

    def __init__(self) -> None:
        self.codes: set[CodeType] = set()
        self.of_route: set[CodeType] = set()

    async def of(self, person: Person, path: str) -> None:
        task = asyncio.current_task()

        def note(frame: FrameType, event: str, _: object) -> None:
            if event == "call" and asyncio.current_task() is task:
                self.codes.add(frame.f_code)
                if is_called_by_feature(frame):
                    self.of_route.add(frame.f_code)

        sys.setprofile(note)
        try:
            await post(person, path)
        finally:
            sys.setprofile(None)


def is_called_by_feature(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith(FEATURES):
            return True
        frame = frame.f_back
    return False


def files_of(codes: Iterable[CodeType]) -> list[str]:
    paths = {Path(code.co_filename) for code in codes}
    return sorted(path.relative_to(PACKAGE.parent).as_posix() for path in paths if path.is_relative_to(PACKAGE))


async def post(person: Person, path: str) -> None:
    answer = await person.client.post(path, json={"title": "A title", "content": "Some words."})
    assert answer.status_code == 201, answer.text


async def trace(data: Path) -> Trace:
    async with AsyncExitStack() as stack:
        engines = await stack.enter_async_context(shared_engines(data / "engines"))
        database = await new_database(engines, "figures")
        settings = Settings.model_validate(
            {
                "data_dir": data,
                "secret_key": "only for this run, and long enough: 0123456789",
                "database": {"engine": "embedded", "url": database.runtime, "owner_url": database.owner},
                "cache": {"engine": "embedded", "url": engines.cache},
                "log": {"level": "warning"},
            }
        )
        app = create_app(settings)
        await stack.enter_async_context(LifespanManager(app, startup_timeout=60, shutdown_timeout=60))
        users = await stack.enter_async_context(Users(app, app.state.resources, database))
        person = await users.person()
        path = f"/api/v1/projects/{await person.project()}/documents"
        for _ in range(2):
            await post(person, path)
        traced = Trace()
        await traced.of(person, path)
        return traced


def main() -> None:
    with TemporaryDirectory() as data:
        traced = asyncio.run(trace(Path(data)))
    own, files = files_of(traced.of_route), files_of(traced.codes)
    print(f"our files that a POST of a document executes: {len(files)}")
    print(f"of them run or called by the route's own code: {len(own)} (target: at most 15)")
    for file in files:
        print(f"  {'*' if file in own else ' '} {file}")


if __name__ == "__main__":
    main()
