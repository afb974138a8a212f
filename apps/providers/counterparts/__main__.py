"""`python -m apps.providers.counterparts [directory]`: the push networks on this machine, until Ctrl-C or SIGTERM.

Writes into the directory what a tenant would paste into the product (`apns.p8`, `service-account.json`) and prints the
variables that point a run at these servers. What phones and browsers would show is printed as it comes. `--quiet` says
nothing of that: `make run` has the phones on a page.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from apps.providers.counterparts.apns import AppleService
from apps.providers.counterparts.authority import Authority
from apps.providers.counterparts.browsers import Browsers
from apps.providers.counterparts.fcm import GoogleService
from apps.providers.counterparts.place import BUNDLE, KEY, PROJECT, TEAM, ports_in, variables
from apps.providers.counterparts.screens import Screens
from apps.providers.counterparts.server import Network, Server
from apps.providers.counterparts.vendors.local import local_makers
from apps.providers.counterparts.webpush import PushService

EMAIL = f"sender@{PROJECT}.iam.gserviceaccount.com"


def main(directory: Path, *, quiet: bool) -> None:
    ports = ports_in(directory)
    authority = Authority(directory)
    apple, google = _apple(directory), _google(directory)
    browsers = PushService(browsers=Browsers(directory / "browsers.json"))
    google.token_url = f"https://127.0.0.1:{ports['fcm']}/token"
    browsers.origin = f"https://127.0.0.1:{ports['webpush']}"
    makers = local_makers()
    screens = Screens(apple, google, browsers, {name: maker.service for name, maker in makers.items()})
    networks: dict[str, Network] = {"apns": apple, "fcm": google, "webpush": browsers, "screens": screens}
    networks |= {name: maker.service for name, maker in makers.items()}
    with ExitStack() as stack:
        for name, network in networks.items():
            stack.enter_context(Server(network, authority.server_context(), port=ports[name]))
        if not quiet:
            _introduce(directory, ports)
        _serve(screens, quiet=quiet)


def _introduce(directory: Path, ports: dict[str, int]) -> None:
    lines = [f"{name}={value}" for name, value in variables(directory, ports).items()]
    lines += [
        f"# APNs: team {TEAM}, key {KEY}, bundle {BUNDLE}, {directory / 'apns.p8'}",
        f"# FCM: {directory / 'service-account.json'}",
        "# Web Push: POST /subscribe with the VAPID public key answers an endpoint and its keys",
    ]
    for name, maker in local_makers().items():
        lines.append(f"# {name}: " + " ".join(f"{field}={value}" for field, value in maker.values.items()))
    sys.stdout.write("\n".join([*lines, ""]))


def _serve(screens: Screens, *, quiet: bool) -> None:
    """Until somebody ends it. What comes is taken out of the servers even when nobody looks."""
    ended = threading.Event()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, lambda *_: ended.set())
    while not ended.wait(1):
        for notice in screens.collect():
            if not quiet:
                sys.stdout.write(f"{notice.network} {notice.device} {notice.title}: {notice.body}\n")
        sys.stdout.flush()


def _apple(directory: Path) -> AppleService:
    file = directory / "apns.p8"
    if not file.exists():
        fresh = ec.generate_private_key(ec.SECP256R1())
        _write_secret(file, fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
    return AppleService({(TEAM, KEY): _public_half(file.read_text())}, {BUNDLE})


def _google(directory: Path) -> GoogleService:
    file = directory / "service-account.json"
    if not file.exists():
        fresh = rsa.generate_private_key(65537, 2048)
        private = fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        account = {
            "type": "service_account", "project_id": PROJECT, "private_key_id": "0" * 40, "client_email": EMAIL,
            "private_key": private,
        }  # fmt: skip
        _write_secret(file, json.dumps(account))
    return GoogleService(PROJECT, {EMAIL: _public_half(json.loads(file.read_text())["private_key"])})


def _public_half(pem: str) -> bytes:
    key = load_pem_private_key(pem.encode(), password=None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


if __name__ == "__main__":
    given = [argument for argument in sys.argv[1:] if argument != "--quiet"]
    main(Path(given[0] if given else "var/counterparts"), quiet="--quiet" in sys.argv)
