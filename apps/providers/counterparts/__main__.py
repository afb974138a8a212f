"""`python -m apps.providers.counterparts [directory]`: the push networks on this machine, until Ctrl-C.

Writes into the directory what a tenant would paste into the product (`apns.p8`, `service-account.json`) and prints the
variables that point a run at these servers. What the servers take is printed as it comes.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from apps.providers.counterparts.apns import AppleService
from apps.providers.counterparts.authority import Authority
from apps.providers.counterparts.fcm import GoogleService
from apps.providers.counterparts.server import Server
from apps.providers.counterparts.vendors.local import Maker, local_makers
from apps.providers.counterparts.webpush import PushService

TEAM, KEY, BUNDLE, PROJECT = "LOCALTEAM1", "LOCALKEY01", "com.example.shop", "shop-local"
EMAIL = f"sender@{PROJECT}.iam.gserviceaccount.com"


def main(directory: Path) -> None:
    authority = Authority(directory)
    apple, google, browsers = _apple(directory), _google(directory), PushService()
    with ExitStack() as stack:
        servers = [stack.enter_context(Server(one, authority.server_context())) for one in (apple, google, browsers)]
        google.token_url, browsers.origin = f"{servers[1].origin}/token", servers[2].origin
        sys.stdout.write(
            f"PUSHSAAS_EGRESS_CA={authority.ca_file.absolute()}\nPUSHSAAS_EGRESS_ALLOW={browsers.origin}\n"
            f"PUSHSAAS_APNS_URL={servers[0].origin}\nPUSHSAAS_APNS_SANDBOX_URL={servers[0].origin}\n"
            f"PUSHSAAS_FCM_URL={servers[1].origin}\nPUSHSAAS_GOOGLE_TOKEN_URL={google.token_url}\n"
            f"# APNs: team {TEAM}, key {KEY}, bundle {BUNDLE}, {directory / 'apns.p8'}\n"
            f"# FCM: {directory / 'service-account.json'}\n"
            f"# Web Push: POST {browsers.origin}/subscribe with the VAPID public key answers an endpoint\n"
        )
        makers = local_makers()
        for name, maker in makers.items():
            server = stack.enter_context(Server(maker.service, authority.server_context()))
            given = " ".join(f"{field}={value}" for field, value in maker.values.items())
            sys.stdout.write("\n".join([*maker.variables(name, server.origin), f"# {name}: {given}", ""]))
        _report(apple, google, browsers, makers)


def _apple(directory: Path) -> AppleService:
    key = ec.generate_private_key(ec.SECP256R1())
    _write_secret(directory / "apns.p8", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return AppleService({(TEAM, KEY): public}, {BUNDLE})


def _google(directory: Path) -> GoogleService:
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    account = {
        "type": "service_account", "project_id": PROJECT, "private_key_id": "0" * 40, "client_email": EMAIL,
        "private_key": private,
    }  # fmt: skip
    _write_secret(directory / "service-account.json", json.dumps(account))
    return GoogleService(
        PROJECT, {EMAIL: key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)}
    )


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _report(apple: AppleService, google: GoogleService, browsers: PushService, makers: Mapping[str, Maker]) -> None:
    """Prints what comes, once a second. Runs until interrupted."""
    seen = [0, 0, 0]
    phones = dict.fromkeys(makers, 0)
    try:
        while True:
            sys.stdout.flush()
            time.sleep(1)
            taken = [len(apple.taken), len(google.taken), len(browsers.stored)]
            for phone in apple.taken[seen[0] :]:
                sys.stdout.write(f"apns {phone.token} {json.dumps(phone.payload, ensure_ascii=False)}\n")
            for message in google.taken[seen[1] :]:
                sys.stdout.write(f"fcm {json.dumps(message, ensure_ascii=False)}\n")
            for stored in browsers.stored[seen[2] :]:
                sys.stdout.write(f"webpush {stored.subscription} {len(stored.body)} bytes, ttl {stored.ttl}\n")
            seen = taken
            for name, maker in makers.items():
                for shown in maker.service.shown[phones[name] :]:
                    sys.stdout.write(f"{name} {shown.device} {shown.title}: {shown.body}\n")
                    phones[name] += 1
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "var/counterparts"))
