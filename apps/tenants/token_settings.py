"""The text settings of an application: whose tokens let its clients in. What is wrong with a value given for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.utils.translation import gettext as _

from apps.core.egress import AddressRefused, read_url

#: Longest value of each, in characters.
TEXT_LENGTHS: Mapping[str, int] = {
    "token_issuer": 200,
    "token_audience": 200,
    "token_jwks_url": 1_000,
    "token_public_key": 4_000,
}
_MIN_RSA_BITS = 2_048


def problem_with_text(name: str, value: Any) -> str:
    """Empty when it may be stored. An empty value switches the setting off."""
    longest = TEXT_LENGTHS[name]
    if not isinstance(value, str) or len(value) > longest or "\0" in value:
        return _("Use a text of at most %(longest)d characters.") % {"longest": longest}
    if not value:
        return ""
    if name == "token_jwks_url":
        return _problem_with_address(value)
    return _problem_with_key(value) if name == "token_public_key" else ""


def _problem_with_address(url: str) -> str:
    try:
        read_url(url)
    except AddressRefused as error:
        return str(error.message)
    return ""


def _problem_with_key(pem: str) -> str:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        return _("Use a public key in PEM form: -----BEGIN PUBLIC KEY-----")
    is_rsa = isinstance(key, rsa.RSAPublicKey) and key.key_size >= _MIN_RSA_BITS
    is_p256 = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    return "" if is_rsa or is_p256 else _("Use an RSA key of at least 2048 bits, or an elliptic key on P-256.")
