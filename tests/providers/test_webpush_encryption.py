"""The RFC's vector, and other people's decoders reading what we encrypt."""

from __future__ import annotations

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from apps.core.encoding import from_base64url, to_base64url
from apps.core.subscription_keys import KeysInvalid, read_keys
from apps.providers.webpush.encryption import MAX_PLAINTEXT, encrypt
from apps.providers.webpush.vapid import read_private_key

# RFC 8291, section 5 and appendix A.
PLAINTEXT = b"When I grow up, I want to be a watermelon"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
SENDER_PRIVATE = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
RECEIVER_PRIVATE = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
RECEIVER_PUBLIC = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
    "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def _receive(body: bytes) -> bytes:
    decrypted: bytes = http_ece.decrypt(
        body, private_key=read_private_key(RECEIVER_PRIVATE), auth_secret=from_base64url(AUTH), version="aes128gcm"
    )
    return decrypted


def test_the_vector_of_rfc_8291_is_reproduced() -> None:
    body = encrypt(
        PLAINTEXT, read_keys(RECEIVER_PUBLIC, AUTH), key=read_private_key(SENDER_PRIVATE), salt=from_base64url(SALT)
    )
    assert len(body) == 144
    assert to_base64url(body) == BODY


@pytest.mark.parametrize("size", [0, 1, 100, 2_700, MAX_PLAINTEXT])
def test_an_independent_decoder_reads_what_we_encrypt(size: int) -> None:
    plaintext = bytes(range(256)) * 16
    body = encrypt(plaintext[:size], read_keys(RECEIVER_PUBLIC, AUTH))
    assert len(body) == size + 103
    assert _receive(body) == plaintext[:size]


def test_key_and_salt_are_fresh_for_every_message() -> None:
    keys = read_keys(RECEIVER_PUBLIC, AUTH)
    first, second = encrypt(b"same", keys), encrypt(b"same", keys)
    assert first[:16] != second[:16]
    assert first[21:86] != second[21:86]


def test_one_byte_changed_does_not_open() -> None:
    body = bytearray(encrypt(PLAINTEXT, read_keys(RECEIVER_PUBLIC, AUTH)))
    body[-1] ^= 1
    with pytest.raises(http_ece.ECEException):
        _receive(bytes(body))


def test_what_does_not_fit_one_record_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        encrypt(b"x" * (MAX_PLAINTEXT + 1), read_keys(RECEIVER_PUBLIC, AUTH))


def _compressed() -> str:
    point = read_private_key(RECEIVER_PRIVATE).public_key()
    return to_base64url(point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))


def _on_another_curve() -> str:
    point = ec.generate_private_key(ec.SECP384R1()).public_key()
    return to_base64url(point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


@pytest.mark.parametrize(
    ("public_key", "auth"),
    [
        ("", AUTH),
        ("not base64url!", AUTH),
        (to_base64url(b"\x04" + b"\x01" * 64), AUTH),
        (to_base64url(b"\x00"), AUTH),
        (_compressed(), AUTH),
        (_on_another_curve(), AUTH),
        (RECEIVER_PUBLIC[:-4], AUTH),
        (RECEIVER_PUBLIC, ""),
        (RECEIVER_PUBLIC, to_base64url(b"x" * 15)),
        (RECEIVER_PUBLIC, to_base64url(b"x" * 17)),
        (RECEIVER_PUBLIC, "\u00e9" * 22),
    ],
)
def test_keys_that_no_browser_gives_are_refused(public_key: str, auth: str) -> None:
    with pytest.raises(KeysInvalid):
        read_keys(public_key, auth)


def test_padded_keys_are_read_like_unpadded_ones() -> None:
    assert read_keys(RECEIVER_PUBLIC + "=", AUTH + "==").auth == from_base64url(AUTH)
