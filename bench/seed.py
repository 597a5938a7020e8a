"""Creates an account, projects and documents through the API."""

from __future__ import annotations

import random
from dataclasses import dataclass

import httpx2

EMAIL = "bench@example.com"
PASSWORD = "a password for the benchmark"
CONTENT_LENGTH = 1200
BATCH = 200
TEXT = """the of and to in a is that for it as was with be by on not he his but at are this have from or had an they
    which one you were all her she there would their we him been has when who will no more if out so up said what its
    agreement invoice delivery warranty supplier customer payment notice liability schedule renewal termination"""
WORDS = TEXT.split()


@dataclass(frozen=True, slots=True)
class Seeded:
    token: str
    documents: dict[str, list[str]]

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [("Authorization", f"Bearer {self.token}")]


def document(chance: random.Random, number: int) -> dict[str, str]:
    content = " ".join(chance.choices(WORDS, k=CONTENT_LENGTH // 4))[:CONTENT_LENGTH]
    return {"title": f"Document {number}", "content": content}


async def sign_up(client: httpx2.AsyncClient) -> str:
    """Registers an account and returns an access token."""
    answer = await client.post("/api/v1/auth/register", json={"email": EMAIL, "password": PASSWORD})
    assert answer.status_code == 202, answer.text
    form = {"grant_type": "password", "username": EMAIL, "password": PASSWORD}
    answer = await client.post("/api/v1/auth/token", data=form)
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token


async def seed(port: int, *, projects: int, documents: int) -> Seeded:
    chance = random.Random(1)
    made: dict[str, list[str]] = {}
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        token = await sign_up(client)
        client.headers["Authorization"] = f"Bearer {token}"
        for number in range(projects):
            answer = await client.post("/api/v1/projects", json={"name": f"Project {number}"})
            assert answer.status_code == 201, answer.text
            project = answer.json()["id"]
            made[project] = []
            for start in range(0, documents, BATCH):
                some = [document(chance, start + each) for each in range(min(BATCH, documents - start))]
                answer = await client.post(f"/api/v1/projects/{project}/documents/batch", json={"documents": some})
                assert answer.status_code == 201, answer.text
                made[project] += [each["id"] for each in answer.json()["items"]]
    return Seeded(token, made)
