"""npm's http_ece, which browsers' push libraries build on, reads what we encrypt."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from apps.core.encoding import to_base64url
from apps.core.subscription_keys import read_keys
from apps.providers.webpush.encryption import MAX_PLAINTEXT, encrypt
from apps.providers.webpush.vapid import new_private_key, read_private_key

pytestmark = pytest.mark.e2e
HERE = Path(__file__).resolve().parent
TEXTS = ["", "x", "When I grow up, I want to be a watermelon", "推送 \U0001f349 " * 50, "y" * MAX_PLAINTEXT]


@pytest.mark.usefixtures("node_modules")
def test_every_text_comes_out_as_it_went_in() -> None:
    private, auth = new_private_key(), to_base64url(b"0123456789abcdef")
    point = read_private_key(private).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    keys = read_keys(to_base64url(point), auth)
    given = {
        "privateKey": private, "auth": auth,
        "bodies": [to_base64url(encrypt(text.encode(), keys)) for text in TEXTS],
    }  # fmt: skip
    done = subprocess.run(
        ["node", HERE / "decode_web_push.cjs"], input=json.dumps(given), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == TEXTS
