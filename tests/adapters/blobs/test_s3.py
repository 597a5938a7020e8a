"""What only a store on S3 can do, and what happens while its server is away."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import httpx2
import obstore
import pytest
from pydantic import SecretStr

from partywall.adapters.blobs.s3 import S3BlobStore
from partywall.adapters.blobs.s3_check import refusal_of
from partywall.adapters.blobs.s3_options import S3Options, open_bucket
from partywall.adapters.blobs.s3_requests import Signer
from partywall.core.clock import utc_now
from partywall.core.storage_errors import StorageAwayError
from partywall.core.tenancy import ProjectScope
from partywall.testing.s3_server import BUCKET, SECRET, S3Server
from tests.adapters.blobs.conftest import Box, chunks, read
from tests.server import free_port

MIB = 1024 * 1024
HOUR = timedelta(hours=1)


async def test_a_link_is_for_one_blob_and_one_way_to_show_it(s3_box: Box, scope: ProjectScope) -> None:
    blob = await s3_box.store.put(scope, chunks(b"content"), max_bytes=9)
    shown = "attachment; filename=\"a b.txt\"; filename*=UTF-8''%C3%A4.txt"
    link = s3_box.store.link(scope, blob.key, content_type="text/plain; charset=utf-8", disposition=shown)
    assert link is not None
    assert SECRET not in link
    assert int(parse_qs(urlsplit(link).query)["X-Amz-Expires"][0]) <= 60
    async with httpx2.AsyncClient() as client:
        answer = await client.get(link, headers={"Range": "bytes=2-4"})
        assert (answer.status_code, answer.content) == (206, b"nte")
        assert answer.headers["content-disposition"] == shown
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        other = await s3_box.store.put(scope, chunks(b"another"), max_bytes=9)
        for changed in (link.replace("attachment", "inline"), link.replace(blob.key, other.key)):
            assert (await client.get(changed)).status_code == 403
        assert (await client.delete(link)).status_code == 403


def test_a_signature_is_the_one_that_aws_documents() -> None:
    """The example of "Authenticating Requests: Using Query Parameters", with its credential."""
    signer = Signer(
        "https://examplebucket.s3.amazonaws.com",
        "us-east-1",
        "AKIAIOSFODNN7EXAMPLE",
        SecretStr("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    )
    then = utc_now().replace(year=2013, month=5, day=24, hour=0, minute=0, second=0)
    url = signer.url("GET", "test.txt", {}, now=then, seconds=86400)
    assert url.endswith("X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")


async def test_uploads_that_were_never_finished_are_removed_when_they_are_old(s3_box: Box, scope: ProjectScope) -> None:
    assert s3_box.options is not None
    kept = await s3_box.store.put(scope, chunks(b"x"), max_bytes=9)
    mine = f"{s3_box.options.prefix}{scope.project_id}/{kept.key[:-1]}"
    bucket = open_bucket(s3_box.options)
    writers = [obstore.open_writer_async(bucket, name, buffer_size=5 * MIB) for name in (f"{mine}a", f"{mine}-b")]
    for writer in writers:
        for _ in range(6):
            await writer.write(b"x" * MIB)
    assert len(await s3_box.names()) == 3
    assert await s3_box.store.remove_unfinished(utc_now() - HOUR) == 0
    assert await s3_box.store.remove_unfinished(utc_now() + HOUR) == 1
    assert sorted(await s3_box.names()) == sorted([kept.key, f"{kept.key[:-1]}-b"]), "others' uploads stay"


async def test_a_cancelled_upload_leaves_nothing(s3_box: Box, scope: ProjectScope) -> None:
    begun, sent = 0, asyncio.Event()

    async def hanging() -> AsyncIterator[bytes]:
        nonlocal begun
        begun += 1
        for _ in range(12):
            yield b"x" * MIB
        if begun == 2:
            sent.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(s3_box.store.put(scope, hanging, max_bytes=99 * MIB))
    await sent.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await s3_box.names() == []


async def test_a_server_that_hangs_is_given_up(s3_box: Box, s3_server: S3Server, scope: ProjectScope) -> None:
    blob = await s3_box.store.put(scope, chunks(b"x" * 3 * MIB), max_bytes=9 * MIB)
    reading = s3_box.store.open(scope, blob.key, 0, blob.size)
    assert await anext(reading)
    s3_server.pause()
    try:
        large = chunks(*[b"x" * MIB] * 12)
        results = await asyncio.gather(
            read(reading),
            s3_box.store.put(scope, large, max_bytes=99 * MIB),
            s3_box.store.ping(),
            s3_box.store.delete(scope, blob.key),
            s3_box.store.delete_project(scope.project_id),
            s3_box.store.remove_unfinished(utc_now()),
            return_exceptions=True,
        )
    finally:
        s3_server.resume()
    assert [type(each) for each in results] == [StorageAwayError] * 6


REFUSED = [
    ({"bucket": "no-such-bucket"}, "BLOBS__BUCKET: .* has no bucket no-such-bucket: create it"),
    (
        {"secret_access_key": SecretStr("another secret")},
        "BLOBS__ACCESS_KEY_ID and BLOBS__SECRET_ACCESS_KEY: .*refuses",
    ),
    ({"access_key_id": "unknown"}, "BLOBS__ACCESS_KEY_ID and BLOBS__SECRET_ACCESS_KEY: .*refuses"),
]


@pytest.mark.parametrize(("wrong", "said"), REFUSED)
def test_what_a_start_refuses(s3_server: S3Server, wrong: dict[str, object], said: str) -> None:
    options = replace(s3_server.options("start/"), **wrong)  # type: ignore[arg-type]  # the fields of the cases
    refusal = refusal_of(options)
    assert refusal is not None
    assert "\n" not in refusal
    assert SECRET not in refusal
    assert re.match(said, refusal), refusal


class _OtherRegion(BaseHTTPRequestHandler):
    """Answers as AWS does for a bucket of another region: a redirect that does not say where to."""

    def do_GET(self) -> None:
        body = b"<Error><Code>PermanentRedirect</Code></Error>"
        self.send_response(301)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_a_start_refuses_another_region(s3_server: S3Server) -> None:
    with HTTPServer(("127.0.0.1", 0), _OtherRegion) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        options = replace(s3_server.options("start/"), endpoint=f"http://127.0.0.1:{server.server_port}")
        refusal = refusal_of(options) or ""
        server.shutdown()
    assert refusal.startswith(f"BLOBS__REGION: the bucket {options.bucket} is in another region than {options.region}")


async def test_a_start_goes_on_with_a_good_bucket_and_with_one_that_is_away(s3_server: S3Server) -> None:
    good = s3_server.options("start/")
    assert refusal_of(good) is None
    assert await obstore.list(open_bucket(good), "start").collect_async() == []
    assert refusal_of(replace(good, endpoint=f"http://127.0.0.1:{free_port()}", timeout=1.0)) is None


@pytest.mark.parametrize(
    ("endpoint", "path_style", "url"),
    [
        (None, False, f"https://{BUCKET}.s3.eu-north-1.amazonaws.com"),
        (None, True, f"https://s3.eu-north-1.amazonaws.com/{BUCKET}"),
        ("https://store.example:9000/", True, f"https://store.example:9000/{BUCKET}"),
        ("https://store.example", False, f"https://{BUCKET}.store.example"),
    ],
)
def test_where_a_bucket_is(endpoint: str | None, path_style: bool, url: str) -> None:
    options = S3Options(BUCKET, "eu-north-1", "", endpoint, path_style, "id", SecretStr("key"), None, 1.0, False, None)
    assert options.bucket_url == url
    assert options.link_signer() is None
    public = replace(options, links=True, public_endpoint="https://files.example").link_signer()
    assert public is not None
    assert "files.example" in public.bucket_url


async def test_a_store_with_a_certificate_of_its_own(s3_server: S3Server, scope: ProjectScope) -> None:
    assert s3_server.chain is not None
    options = replace(s3_server.options(f"{scope.project_id}/"), endpoint=f"https://localhost:{s3_server.tls_port}")
    assert (refusal_of(options) or "").startswith("BLOBS__CA_FILE: the certificate of https://localhost")
    trusting = replace(options, ca_file=s3_server.chain.with_name("ca.pem"))
    assert refusal_of(trusting) is None
    store = S3BlobStore(trusting)
    blob = await store.put(scope, chunks(b"private"), max_bytes=9)
    assert await read(store.open(scope, blob.key, 0, 7)) == b"private"
    assert await store.remove_unfinished(utc_now()) == 0


async def test_without_keys_of_its_own_the_store_leaves_unfinished_uploads_to_the_bucket(s3_server: S3Server) -> None:
    """The machine's credentials are known to obstore only."""
    options = replace(s3_server.options("x/"), access_key_id=None, secret_access_key=None)
    assert await S3BlobStore(options).remove_unfinished(utc_now()) == 0


CLOSES = """
import asyncio, sys
from partywall.adapters.blobs.s3 import S3BlobStore
from partywall.adapters.blobs.s3_options import S3Options
from partywall.core.clock import utc_now
from partywall.core.storage_errors import StorageAwayError

async def main():
    store = S3BlobStore(S3Options("bucket", "r", "", sys.argv[1], True, None, None, None, 1.0, False, None))
    try:
        async for _ in store.stored_before(utc_now()):
            pass
    except StorageAwayError:
        print("away")
    await store.close()

asyncio.run(main())
"""


def test_a_process_that_ends_after_its_last_request_is_not_aborted() -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    keys = {"AWS_ACCESS_KEY_ID": "an-id", "AWS_SECRET_ACCESS_KEY": "a-key"}
    command = [sys.executable, "-c", CLOSES, endpoint]
    ended = subprocess.run(command, env={**os.environ, **keys}, capture_output=True, check=False)
    assert (ended.returncode, ended.stdout.endswith(b"away\n")) == (0, True), ended.stderr
