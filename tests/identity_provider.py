"""An OpenID provider in a process of its own. Whoever is sent to it is logged in at once, as whom
and how well the test has said before."""

import base64
import hashlib
import hmac
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import requests
from joserfc import jwt
from joserfc.jwk import RSAKey

from deepstack.config import ROOT

CLIENT, SECRET = "deepstack", "a-secret-of-this-client"
PERSON = {"preferred_username": "ann", "amr": ["pwd", "otp"]}


@dataclass(frozen=True, slots=True)
class Provider:
    """How a test reaches it; `issuer` is its address."""

    issuer: str

    def say(
        self,
        claims: Mapping[str, Any] | None = None,
        userinfo: Mapping[str, Any] | None = None,
        **faults: str,
    ) -> None:
        """Of who comes next: these claims, None leaving one out; what the userinfo endpoint has;
        and what is wrong with the ID token or the provider (`Answers`)."""
        told = {
            "claims": {**PERSON, **(claims or {})},
            "userinfo": {"sub": "1", **(userinfo or {})},
            "faults": faults,
        }
        requests.post(f"{self.issuer}/say", json=told, timeout=5).raise_for_status()

    def log_in(self, address: str) -> str:
        """What a browser is sent on to, which it follows with its own cookies."""
        answer = requests.get(address, allow_redirects=False, timeout=5)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def asked(self) -> dict[str, Any]:
        """Of the last login: the query of the authorization request."""
        found: dict[str, Any] = requests.get(f"{self.issuer}/asked", timeout=5).json()
        return found


@contextmanager
def running() -> Iterator[Provider]:
    program = [sys.executable, "-m", "tests.identity_provider"]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Provider(process.stdout.readline().strip())
        finally:
            process.terminate()


class Answers:
    """The provider's state; one login at a time."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.other = RSAKey.generate_key(2048, {"kid": "one"})
        self.issuer = ""
        self.claims: dict[str, Any] = dict(PERSON)
        self.faults: dict[str, str] = {}
        self.userinfo: dict[str, Any] = {}
        self.asked: dict[str, str] = {}
        self.codes: dict[str, dict[str, str]] = {}

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.faults.get("discovery_issuer", self.issuer),
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": self.faults.get("token_endpoint", f"{self.issuer}/token"),
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "token_endpoint_auth_methods_supported": [
                self.faults.get("auth_method", "client_secret_basic")
            ],
        }

    def authorize(self, query: dict[str, str]) -> str:
        assert query["client_id"] == CLIENT
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.asked = self.codes[code] = query
        back = {"code": code, "state": query["state"]}
        if error := self.faults.get("error"):
            back = {"error": error, "state": query["state"]}
        return f"{query['redirect_uri']}?{urlencode(back)}"

    def token(self, form: dict[str, str], client: str) -> dict[str, Any]:
        """For a code, once, to the client that asked for it and knows the verifier."""
        asked = self.codes.pop(form["code"])
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = _base64(digest)
        own = f"{form.get('client_id')}:{form.get('client_secret')}"
        if "auth_method" not in self.faults:
            own = base64.b64decode(client.removeprefix("Basic ")).decode()
        assert own == f"{CLIENT}:{SECRET}"
        assert challenge == asked["code_challenge"]
        assert form["redirect_uri"] == asked["redirect_uri"]
        answer = {"access_token": "access", "token_type": "Bearer", "expires_in": 60}
        if "no_id_token" in self.faults:
            return answer
        return {**answer, "id_token": self.id_token(asked["nonce"])}

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        own = {
            "iss": self.issuer,
            "sub": "1",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 60,
            "nonce": nonce,
            **self.claims,
        }
        told = {name: value for name, value in own.items() if value is not None}
        signature = self.faults.get("signature", "")
        if signature == "of another key":
            return jwt.encode({"alg": "RS256", "kid": "one"}, told, self.other)
        keys = {
            "none": None,
            "by the public key": self.key.as_pem(private=False),
            "by our secret": SECRET.encode(),
        }
        if signature in keys:
            return _forged(told, keys[signature])
        return jwt.encode({"alg": "RS256", "kid": "one"}, told, self.key)


def _forged(claims: dict[str, Any], key: bytes | None) -> str:
    """As no library writes it: signed by nobody, or with a key that others have."""
    head = {"alg": "none"} if key is None else {"alg": "HS256", "kid": "one"}
    text = ".".join(_base64(json.dumps(each).encode()) for each in (head, claims))
    digest = b"" if key is None else hmac.digest(key, text.encode(), "sha256")
    return f"{text}.{_base64(digest)}"


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


ANSWERS = Answers()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/authorize":
            onwards = ANSWERS.authorize(dict(parse_qsl(parts.query)))
            self.send_response(302)
            self.send_header("Location", onwards)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        pages: dict[str, Any] = {
            "/.well-known/openid-configuration": ANSWERS.discovery(),
            "/keys": {"keys": [ANSWERS.key.as_dict(private=False)]},
            "/userinfo": ANSWERS.userinfo,
            "/asked": ANSWERS.asked,
        }
        if parts.path == "/userinfo":
            assert self.headers["Authorization"] == "Bearer access"
        self._answer(pages[parts.path])

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/say":
            told = json.loads(body)
            ANSWERS.claims, ANSWERS.faults = told["claims"], told["faults"]
            ANSWERS.userinfo = told["userinfo"]
            return self._answer({})
        form = {name: values[0] for name, values in parse_qs(body).items()}
        return self._answer(ANSWERS.token(form, self.headers.get("Authorization", "")))

    def _answer(self, told: Any) -> None:
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ANSWERS.issuer = f"http://127.0.0.1:{server.server_port}"
    print(ANSWERS.issuer, flush=True)
    server.serve_forever()
