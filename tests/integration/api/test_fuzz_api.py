"""schemathesis examines a running web process by the OpenAPI document that it serves.

FUZZ_EXAMPLES sets how many requests each operation gets; `make fuzz-api EXAMPLES=200`.
"""

import os
import subprocess
import sys

import pytest
from django.contrib.auth.models import User
from openapi_spec_validator import validate
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from deepstack.config import ROOT
from tests.stack import Stack

pytestmark = pytest.mark.any_date

EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "3")
SECONDS = 300 if EXAMPLES == "3" else 7_200


def token() -> str:
    user, _ = User.objects.get_or_create(username="fuzz", is_superuser=True, is_staff=True)
    return Token.objects.get_or_create(user=user)[0].key


@pytest.mark.django_db
def test_the_document_is_valid_and_declares_its_errors() -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token()}")
    document = client.get("/api/v1/schema/?format=json").json()
    validate(document)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            declared = operation["responses"]
            wanted = {"400", "406", "503"} | ({"401"} if not path.endswith("/token/") else set())
            wanted |= {"404"} if "{" in path else set()
            wanted |= {"411", "413", "415"} if method == "post" else set()
            assert wanted <= declared.keys(), (method, path)
            for status in wanted:
                assert list(declared[status]["content"]) == ["application/problem+json"]


@pytest.mark.timeout(SECONDS)
def test_no_request_that_the_document_allows_or_forbids_surprises(empty_stack: Stack) -> None:
    web = empty_stack.web()
    try:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "schemathesis.cli",
                f"--config-file={ROOT / 'schemathesis.toml'}",
                "run",
                f"{web.url}/api/v1/schema/?format=json",
                "--header",
                f"Authorization: Token {token()}",
                "--checks=all",
                f"--max-examples={EXAMPLES}",
                "--seed=1",
                "--generation-database=none",
                "--continue-on-failure",
                "--no-color",
            ],
            cwd=empty_stack.folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    finally:
        Token.objects.filter(user__username="fuzz").delete()
        User.objects.filter(username="fuzz").delete()
    assert done.returncode == 0, f"{done.stdout[-20_000:]}{done.stderr[-2_000:]}"
