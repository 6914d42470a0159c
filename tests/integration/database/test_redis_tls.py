"""A Redis behind TLS, as managed ones are: every client knows the server by its certificate."""

import asyncio
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from tests.telemetry_receiver import run_script

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]

# Flower's client takes its parameters from Celery's configuration, as its pages do.
ASKED = """
import asyncio
import json
from deepstack import redis_check
from deepstack.celery import app
from flower.utils.broker import Broker

def celery():
    with app.connection() as connection:
        connection.default_channel.client.ping()

def flower():
    url = app.connection().as_uri(include_password=True)
    broker = Broker(url, broker_options=app.conf.broker_transport_options,
                    broker_use_ssl=app.conf.broker_use_ssl)
    async def ask():
        await broker.redis.ping()
    asyncio.run(ask())

def tried(ask):
    try:
        ask()
    except Exception as error:
        return "unknown certificate" if "CERTIFICATE_VERIFY_FAILED" in str(error) else repr(error)
    return "answers"

asked = {"celery": celery, "flower": flower, "service": redis_check.client().ping}
print(json.dumps({name: tried(ask) for name, ask in asked.items()}))
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of `localhost`, signed by itself; its key lies beside it."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(path.with_suffix(".key")), "-out", str(path)]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    return path


@pytest.fixture(scope="module")
def port(servers: None, certificate: Path) -> Iterator[int]:
    """Where TLS is spoken in front of the tests' Redis."""
    loop, secured = asyncio.new_event_loop(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secured.load_cert_chain(certificate, certificate.with_suffix(".key"))
    server = loop.run_until_complete(asyncio.start_server(_through, "127.0.0.1", 0, ssl=secured))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield server.sockets[0].getsockname()[1]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    server.close()


async def _through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    address = urlsplit(settings.REDIS_URL)
    behind = (
        asyncio.open_unix_connection(address.path)
        if address.scheme == "unix"
        else asyncio.open_connection(address.hostname, address.port or 6379)
    )
    theirs, ours = await behind
    await asyncio.gather(_copy(reader, ours), _copy(theirs, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while read := await reader.read(65_536):
            writer.write(read)
    writer.close()


def answers(url: str, **environment: str) -> dict[str, str]:
    said: dict[str, str] = json.loads(run_script(ASKED, REDIS_URL=url, **environment))
    return said


def all_of(what: str) -> dict[str, str]:
    return dict.fromkeys(("celery", "flower", "service"), what)


def test_a_server_with_a_known_certificate_answers_every_client(
    port: int, certificate: Path
) -> None:
    url = f"rediss://localhost:{port}/0"
    assert answers(url, SSL_CERT_FILE=str(certificate)) == all_of("answers")
    assert answers(f"{url}?ssl_ca_certs={certificate}") == all_of("answers")


def test_no_client_talks_to_a_server_that_nobody_vouches_for(port: int, certificate: Path) -> None:
    ours = f"rediss://localhost:{port}/0"
    assert answers(ours) == all_of("unknown certificate")
    assert answers(f"{ours}?ssl_cert_reqs=required") == all_of("unknown certificate")
    elsewhere = f"rediss://127.0.0.1:{port}/0"
    assert answers(elsewhere, SSL_CERT_FILE=str(certificate)) == all_of("unknown certificate")
