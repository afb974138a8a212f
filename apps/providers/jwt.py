"""Signed tokens as the push networks want them: ES256 (RFC 7518 3.4, raw r||s), RS256 and PS256. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from apps.core.encoding import to_base64url


def sign_es256(claims: Mapping[str, Any], key: ec.EllipticCurvePrivateKey, **header: str) -> str:
    """key: on P-256. header: members beside `alg`."""
    signed = _signed_part({"alg": "ES256", **header}, claims)
    r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(SHA256())))
    return f"{signed.decode()}.{to_base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def sign_rs256(claims: Mapping[str, Any], key: rsa.RSAPrivateKey, **header: str) -> str:
    signed = _signed_part({"alg": "RS256", **header}, claims)
    return f"{signed.decode()}.{to_base64url(key.sign(signed, padding.PKCS1v15(), SHA256()))}"


def sign_ps256(claims: Mapping[str, Any], key: rsa.RSAPrivateKey, **header: str) -> str:
    """With a salt as long as the digest (RFC 7518 3.5)."""
    signed = _signed_part({"alg": "PS256", **header}, claims)
    scheme = padding.PSS(padding.MGF1(SHA256()), padding.PSS.DIGEST_LENGTH)
    return f"{signed.decode()}.{to_base64url(key.sign(signed, scheme, SHA256()))}"


def _signed_part(header: Mapping[str, str], claims: Mapping[str, Any]) -> bytes:
    return b".".join(to_base64url(orjson.dumps(part)).encode() for part in (header, claims))
