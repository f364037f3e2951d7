"""An OpenID provider that a test can turn against hubadmin, and the ways in which it lies."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.identity import forgery
from tests.identity.forgery import GOOD, GOOD_EC, GOOD_PEM, OTHER, OTHER_EC, sign

DISCOVERY = "/.well-known/openid-configuration"
ELSEWHERE = "https://elsewhere.example"
GONE = object()  # a claim that is left out
Answer = tuple[int, Any]  # the status, and a body: bytes and texts as they are, the rest as JSON


def _no_such_code(form: dict[str, str]) -> Answer:
    return 400, {"error": "invalid_grant"}


class HostileProvider:
    """Listens on 127.0.0.1 as long as it is entered; what it answers is a test's to set."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Be an honest provider, but one who knows of no code."""
        self.metadata: dict[str, Any] = {}  # over the honest discovery; None takes a name away
        self.keys: Any = forgery.jwks(good=GOOD, good_ec=GOOD_EC)
        self.token_answer: Callable[[dict[str, str]], Answer] = _no_such_code
        self.userinfo_answer: Answer = (200, {"sub": "victim"})
        self.down: set[str] = set()  # paths that answer 503
        self.dead: set[str] = set()  # paths where the connection ends without an answer
        self.delay = 0.0  # seconds before each answer
        self.requests: list[tuple[str, str, dict[str, str]]] = []  # method, path, form

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"provider": self})
        self._listener = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.issuer = f"http://127.0.0.1:{self._listener.server_address[1]}"
        Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown()
        self._listener.server_close()

    def asked(self, path: str) -> list[dict[str, str]]:
        """Return the forms that were sent there."""
        return [form for _, asked, form in self.requests if asked == path]

    def discovery(self) -> dict[str, Any]:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "end_session_endpoint": f"{self.issuer}/logout",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        } | self.metadata
        return {name: value for name, value in document.items() if value is not None}

    def answer(self, path: str, form: dict[str, str]) -> Answer:
        if path in self.down:
            return 503, {}
        if path == "/token":
            return self.token_answer(form)
        known = {DISCOVERY: (200, self.discovery()), "/jwks": (200, self.keys)}
        return (known | {"/userinfo": self.userinfo_answer}).get(path, (404, {}))


class _Handler(BaseHTTPRequestHandler):
    provider: HostileProvider

    def _serve(self) -> None:
        path = urlsplit(self.path).path
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        form = dict(parse_qsl(sent, keep_blank_values=True))
        self.provider.requests.append((self.command, path, form))
        time.sleep(self.provider.delay)
        if path not in self.provider.dead:
            with suppress(BrokenPipeError):  # a client that did not wait
                self._send(*self.provider.answer(path, form))

    def _send(self, status: int, body: Any) -> None:
        text = body if isinstance(body, str | bytes) else json.dumps(body)
        data = text.encode() if isinstance(text, str) else text
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _serve  # noqa: N815 - the names http.server looks for

    def log_message(self, *_: Any) -> None:
        """Say nothing: `requests` has it all."""


@dataclass(frozen=True)
class Context:
    """What a liar knows when the client comes with its code."""

    provider: HostileProvider
    client_id: str
    client_secret: str
    nonce: str
    access_token: str = "an-access-token"

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return sound claims of the victim, with changes; a function is asked with the context."""
        now = int(time.time())
        claims = {"iss": self.provider.issuer, "sub": "victim", "aud": self.client_id}
        claims |= {"iat": now, "exp": now + 300, "nonce": self.nonce}
        claims |= {"email": "victim@example.com", "name": "Victim", "groups": ["support"]}
        claims |= {"at_hash": forgery.half_hash(self.access_token)}
        for name, value in changes.items():
            claims[name] = value(self) if callable(value) else value
        return {name: value for name, value in claims.items() if value is not GONE}

    def answer(self, id_token: Any) -> dict[str, Any]:
        answer = {"access_token": self.access_token, "token_type": "Bearer", "expires_in": 300}
        return answer if id_token is GONE else answer | {"id_token": id_token}


Variant = Callable[[Context], dict[str, Any]]


def _signed(**how: Any) -> Variant:
    """Sound claims under a signature that need not be."""
    return lambda context: context.answer(sign(context.claims(), **how))


def _claiming(**changes: Any) -> Variant:
    """A sound signature under claims that are not."""
    return lambda context: context.answer(sign(context.claims(**changes)))


def _unsigned(alg: str | None, signature: bytes = b"") -> Variant:
    # Without at_hash: `none` has no hash for it, and that alone would be noticed.
    return lambda context: context.answer(
        forgery.unsigned(context.claims(at_hash=GONE), alg, signature)
    )


def _sending(id_token: Any, **more: Any) -> Variant:
    return lambda context: context.answer(id_token) | more


def _serving(attribute: str, value: Any, **changes: Any) -> Variant:
    """What the provider will serve of keys or userinfo, beside a token that is sound by itself."""

    def variant(context: Context) -> dict[str, Any]:
        setattr(context.provider, attribute, value)
        return context.answer(sign(context.claims(**changes)))

    return variant


def _userinfo(body: Any, status: int = 200) -> Variant:
    return _serving("userinfo_answer", (status, body), groups=GONE)


def _in(seconds: int) -> Callable[[Context], int]:
    return lambda context: int(time.time()) + seconds


_EC = {"alg": "ES256", "kid": "good_ec"}
_JKU = {"jku": f"{ELSEWHERE}/jwks", "x5u": f"{ELSEWHERE}/cert"}
_ADMIN = {"groups": ["admin"]}
_NO_CLAIM = (None, "", 5, True, [], ["victim"], {}, {"victim": True}, float("nan"))
_NO_TOKEN = (None, "", 5, [], {"sub": "victim"}, "a.b.c", "ä.\ud800.ö")
_NO_KEYS = ({}, {"keys": []}, {"keys": [1]}, {"keys": [{"kty": "RSA"}]}, [1], "<html>")

# What has to get in, so that the refusal of the others means something.
CONTROLS: dict[str, Variant] = {
    "good": _signed(),
    "good, ES256": _signed(key=GOOD_EC, **_EC),
    "good, aud a list": _claiming(aud=lambda context: [context.client_id]),
    "good, groups by userinfo": _userinfo({"sub": "victim", "groups": ["support"]}),
}

# Where a name begins with a claim's, that claim has to be the reason of the refusal.
VARIANTS: dict[str, Variant] = {
    f"{claim} {value!r}": _claiming(**{claim: value})
    for claim in ("iss", "sub", "aud", "exp", "nonce")
    for value in _NO_CLAIM
}
VARIANTS |= {
    f"{claim} missing": _claiming(**{claim: GONE})
    for claim in ("iss", "sub", "aud", "exp", "iat", "nonce")
}
VARIANTS |= {
    "aud another": _claiming(aud="another"),
    "aud another, azp ours": _claiming(aud="another", azp=lambda context: context.client_id),
    "azp missing, aud a list": _claiming(aud=lambda context: [context.client_id, "another"]),
    "azp another, aud a list": _claiming(
        aud=lambda context: [context.client_id, "another"], azp="another"
    ),
    "azp another": _claiming(azp="another"),
    "iss another": _claiming(iss=ELSEWHERE),
    "iss with a slash more": _claiming(iss=lambda context: f"{context.provider.issuer}/"),
    "exp past": _claiming(exp=_in(-3600)),
    "exp a text": _claiming(exp=lambda context: str(_in(300)(context))),
    "iat to come": _claiming(iat=_in(3600), exp=_in(7200)),
    "nbf to come": _claiming(nbf=_in(3600), exp=_in(7200)),
    "nonce another": _claiming(nonce="of-another-sign-in"),
    "nonce missing, said to be unsupported": _claiming(nonce=GONE, nonce_supported=False),
    "sub with a NUL": _claiming(sub="victim\0"),
    "sub with half a surrogate": _claiming(sub="victim\ud800"),
    "sub too long": _claiming(sub="v" * 256),
    "at_hash of another access token": _claiming(at_hash=forgery.half_hash("another")),
    "claims a list": _sending(sign(b"[]")),
    "claims nested deep": _sending(sign(b"[" * 90_000)),
    "claims with too many digits": _sending(sign(b'{"exp": %s}' % (b"9" * 5000))),
    "claims tampered with": lambda context: context.answer(
        forgery.tampered(context.claims(), **_ADMIN)
    ),
}
VARIANTS |= {f"alg {alg}": _unsigned(alg) for alg in ("none", "None", "nOnE")}
VARIANTS |= {
    "alg none, advertised": _unsigned("none"),
    "alg missing": _unsigned(None),
    "alg a list": _signed(header={"alg": ["RS256"]}),
    "HS256 by the public key": _signed(key=GOOD_PEM, alg="HS256"),
    "HS256 by the public key, advertised": _signed(key=GOOD_PEM, alg="HS256"),
    "HS256 by the client's secret, advertised": lambda context: context.answer(
        sign(context.claims(), key=context.client_secret.encode(), alg="HS256")
    ),
    "signature of noise": _unsigned("RS256", b"noise" * 51),
    "signature empty": _unsigned("RS256"),
    "signed by another key of the same name": _signed(key=OTHER),
    "signed by another key of another name": _signed(key=OTHER, kid="other"),
    "own key in the header": _signed(key=OTHER_EC, header={"jwk": forgery.jwk(OTHER_EC)}, **_EC),
    "own key by an address in the header": _signed(key=OTHER, header=_JKU),
    "kid a list": _signed(header={"kid": ["good"]}),
    "crit unknown": _signed(header={"crit": ["unknown"], "unknown": 1}),
}
VARIANTS |= {f"ID token {value!a}": _sending(value) for value in _NO_TOKEN}
VARIANTS |= {f"keys {value}": _serving("keys", value) for value in _NO_KEYS}
VARIANTS |= {
    "ID token missing": _sending(GONE),
    "ID token missing, userinfo instead": _sending(GONE, userinfo={"sub": "victim", **_ADMIN}),
    "ID token missing, error a list": _sending(GONE, error=["invalid_client"]),
    "ID token missing, expires_in infinite": _sending(GONE, expires_in=float("inf")),
    "keys of another": _serving("keys", forgery.jwks(good=OTHER)),
    "issuer another in discovery": _signed(),
    "issuer another in discovery, too": _claiming(iss=ELSEWHERE),
    "issuer with a slash more in discovery, too": _claiming(
        iss=lambda context: f"{context.provider.issuer}/"
    ),
    "userinfo of somebody else": _userinfo({"sub": "somebody else", **_ADMIN}),
    "userinfo of nobody": _userinfo(_ADMIN),
    "userinfo a list": _userinfo([["sub", "somebody else"]]),
    "userinfo not JSON": _userinfo("<html>"),
    "userinfo refused": _userinfo({"sub": "victim", **_ADMIN}, status=401),
}

_ALGORITHMS = "id_token_signing_alg_values_supported"
# What discovery says for it, before the client has begun; given the provider's own issuer.
ADVERTISED: dict[str, Callable[[str], dict[str, Any]]] = {
    "alg none, advertised": lambda _: {_ALGORITHMS: ["RS256", "none"]},
    "HS256 by the public key, advertised": lambda _: {_ALGORITHMS: ["RS256", "HS256"]},
    "HS256 by the client's secret, advertised": lambda _: {_ALGORITHMS: ["RS256", "HS256"]},
    "issuer another in discovery": lambda _: {"issuer": ELSEWHERE},
    "issuer another in discovery, too": lambda _: {"issuer": ELSEWHERE},
    "issuer with a slash more in discovery, too": lambda issuer: {"issuer": f"{issuer}/"},
}


def prepare(provider: HostileProvider, name: str) -> Variant:
    """Make the provider ready for a client that begins to sign in; return what to answer it."""
    provider.reset()
    provider.metadata = ADVERTISED.get(name, lambda _: {})(provider.issuer)
    return (CONTROLS | VARIANTS)[name]
