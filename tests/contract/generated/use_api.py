"""Uses what openapi-python-client has generated. Runs separately, in the generator's own environment."""

from __future__ import annotations

import io
import json
import sys
import time

from api import AuthenticatedClient, Client
from api.api.accounts import issue_token, register_account
from api.api.documents import create_document, get_document, upload_document
from api.api.projects import create_project
from api.api.search import search_documents
from api.models import (
    Accepted,
    BodyUploadDocument,
    Document,
    DocumentCreate,
    Problem,
    Project,
    ProjectCreate,
    Registration,
    SearchMode,
    SearchResult,
    TokenAnswer,
    TokenForm,
)
from api.types import File

url, email = sys.argv[1:]
password = "correct horse battery staple"

anonymous = Client(base_url=url)
accepted = register_account.sync(client=anonymous, body=Registration(email=email, password=password))
assert isinstance(accepted, Accepted), accepted
token = issue_token.sync(client=anonymous, body=TokenForm(grant_type="password", username=email, password=password))
assert isinstance(token, TokenAnswer), token
client = AuthenticatedClient(base_url=url, token=token.access_token)
project = create_project.sync(client=client, body=ProjectCreate(name="Generated"))
assert isinstance(project, Project), project
wanted = DocumentCreate.from_dict({"title": "Prices", "content": "Ten euros.", "metadata": {"year": 2027}})
document = create_document.sync(project.id, client=client, body=wanted)
while isinstance(document, Document) and document.index_status == "pending":
    time.sleep(0.05)  # noqa: TID251 - a program of one thread
    document = get_document.sync(project.id, document.id, client=client)
assert isinstance(document, Document), document
found = search_documents.sync(project.id, client=client, q="euros", mode=SearchMode.TEXT)
assert isinstance(found, SearchResult), found
file = File(payload=io.BytesIO(b"Twenty euros."), file_name="more.txt", mime_type="text/plain")
uploaded = upload_document.sync(project.id, client=client, body=BodyUploadDocument(file=file))
assert isinstance(uploaded, Document), uploaded
problem = create_project.sync(client=client, body=ProjectCreate(name=""))
assert isinstance(problem, Problem), problem
result = {
    "accepted": accepted.status,
    "project": project.name,
    "dated": project.created_at.tzinfo is not None,
    "found": [hit.title for hit in found.items],
    "uploaded": uploaded.title,
    "code": problem.code,
    "errors": [[each.pointer, each.code] for each in problem.errors or ()],
}
sys.stdout.write(json.dumps(result))
