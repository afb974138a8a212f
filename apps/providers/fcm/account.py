"""A tenant's service account, and the access token that Google gives for it.

The file comes from outside: of what it says only names and the key are used, never its URLs.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings

from apps.core import clock
from apps.providers.answers import json_object
from apps.providers.exchanges import Lane, Reply, Request
from apps.providers.http import exchange
from apps.providers.jwt import sign_rs256
from apps.providers.tokens import Token, TokenPolicy, TokenRefused

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFETIME = timedelta(hours=1)
#: A token is renewed 5 minutes before its hour ends. One that is refused is not asked for again within 30 seconds.
POLICY = TokenPolicy(renew_after=timedelta(minutes=55), keep_for=timedelta(seconds=30))
_TIMEOUT = 10.0
_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_EMAIL = re.compile(r"[0-9a-z._-]{1,64}@[0-9a-z.-]{1,180}\.gserviceaccount\.com")
_KEY_ID = re.compile(r"[0-9a-f]{20,64}")


class AccountInvalid(ValueError):
    """This is no service account file of a Firebase project."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    project_id: str
    client_email: str
    key_id: str
    key: rsa.RSAPrivateKey = field(repr=False, compare=False)

    @property
    def subject(self) -> str:
        """What the shared token stands for; a digest, because an e-mail address and a key id are long."""
        name = f"{self.client_email} {self.key_id}".encode()
        return f"fcm:{hashlib.blake2b(name, digest_size=16).hexdigest()}"


@lru_cache(maxsize=200)
def read_account(text: str) -> ServiceAccount:
    """The contents of a service account file. Raises AccountInvalid."""
    parts = json_object(text.encode())
    project_id, email, key_id = (str(parts.get(name)) for name in ("project_id", "client_email", "private_key_id"))
    if not (_PROJECT.fullmatch(project_id) and _EMAIL.fullmatch(email) and _KEY_ID.fullmatch(key_id)):
        raise AccountInvalid("names")
    try:
        key = load_pem_private_key(str(parts.get("private_key")).encode(), password=None)
    except (ValueError, TypeError):
        raise AccountInvalid("private_key") from None
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < 2048:
        raise AccountInvalid("private_key")
    return ServiceAccount(project_id, email, key_id, key)


def fetch_token(account: ServiceAccount, proxy: str = "") -> Token:
    """Asks Google. Raises TokenRefused."""
    now = clock.now()
    url = settings.GOOGLE_TOKEN_URL
    issued = int(now.timestamp())
    claims = {
        "iss": account.client_email, "scope": SCOPE, "aud": url, "iat": issued, "exp": issued + 3600,
    }  # fmt: skip
    form = {"grant_type": _GRANT, "assertion": sign_rs256(claims, account.key, kid=account.key_id, typ="JWT")}
    request = Request(url, {"content-type": "application/x-www-form-urlencoded"}, urlencode(form).encode())
    [answer] = exchange(Lane(account.subject, "/".join(url.split("/")[:3]), timeout=_TIMEOUT, proxy=proxy), [request])
    if not isinstance(answer, Reply):
        raise TokenRefused(answer.reason, is_final=False)
    said = json_object(answer.body)
    if answer.status != 200 or not isinstance(said.get("access_token"), str):
        raise TokenRefused(str(said.get("error") or answer.status), is_final=400 <= answer.status < 429)
    lifetime = min(_LIFETIME, timedelta(seconds=int(said.get("expires_in") or 3600)))
    return Token(said["access_token"], now, now + lifetime)
