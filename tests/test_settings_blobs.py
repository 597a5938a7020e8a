from __future__ import annotations

import pytest
from pydantic import ValidationError

from partywall.settings import BlobSettings, HttpSettings, Settings

KEYS = {"access_key_id": "an id", "secret_access_key": "a very secret key"}
MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"engine": "s3"}, "BLOBS__ENGINE=s3 needs a bucket: set BLOBS__BUCKET"),
        ({"bucket": "A bucket"}, "3 to 63 lower-case letters"),
        ({"prefix": "/above"}, "names of letters"),
        ({"prefix": "a//b"}, "names of letters"),
        ({"prefix": "../a"}, "names of letters"),
        ({"access_key_id": "an id"}, "both or none of BLOBS__ACCESS_KEY_ID"),
        ({"presigned_downloads": True, **KEYS}, "needs BLOBS__ENGINE=s3"),
        ({"presigned_downloads": True, "engine": "s3", "bucket": "abc"}, "needs BLOBS__ENGINE=s3"),
        ({"endpoint": "http://store.example"}, "allow it with BLOBS__ALLOW_HTTP=true"),
    ],
)
def test_what_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        BlobSettings.model_validate(wrong)


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:9000", "http://[::1]:9000", "http://localhost", "https://x.test"]
)
def test_an_endpoint_on_this_machine_needs_no_tls(endpoint: str) -> None:
    settings = BlobSettings.model_validate(
        {"engine": "s3", "bucket": "abc", "prefix": "a/b", "endpoint": endpoint, **KEYS}
    )
    assert settings.prefix == "a/b/"
    assert "a very secret key" not in repr(settings)


def test_larger_uploads_need_one_setting(settings: Settings) -> None:
    """Unless the limits of all bodies are set as well."""
    assert settings.max_body_bytes == 32 * MIB
    larger = settings.model_copy(update={"blobs": BlobSettings(max_upload_bytes=1024 * MIB)})
    assert larger.max_body_bytes > 1024 * MIB
    assert larger.spool_bytes > 3 * 1024 * MIB
    bounded = larger.model_copy(update={"http": HttpSettings(max_body_bytes=MIB, spool_bytes=2 * MIB)})
    assert (bounded.max_body_bytes, bounded.spool_bytes) == (MIB, 2 * MIB)
