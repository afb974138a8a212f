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
from apps.providers.counterparts.place import BUNDLE, KEY, PROJECT, SENDER, TEAM, mail_server, ports_in, variables
from apps.providers.counterparts.receiver import SECRET, ReceiverService
from apps.providers.counterparts.screens import Screens
from apps.providers.counterparts.server import Network, Server
from apps.providers.counterparts.smtp import MailCounterpart
from apps.providers.counterparts.switches import Switches
from apps.providers.counterparts.vendors.common import VendorService
from apps.providers.counterparts.vendors.huawei import HuaweiService
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
    makers = {name: maker.service for name, maker in local_makers().items()}
    _harmony(directory, makers["huawei"])
    mail, receiver = MailCounterpart(port=ports["email"]), ReceiverService()
    networks: dict[str, Network] = {"apns": apple, "fcm": google, "webpush": browsers, "webhook": receiver, **makers}
    servers = {
        name: Server(network, authority.server_context(), port=ports[name]) for name, network in networks.items()
    }
    stranger = Authority(directory / "stranger", names=("stranger.invalid",))
    switches = Switches(servers, mail, authority, stranger)
    screens = Screens(apple, google, browsers, makers, mail, receiver, switches)
    with ExitStack() as stack:
        for server in servers.values():
            stack.enter_context(server)
        stack.enter_context(mail)
        stack.enter_context(Server(screens, authority.server_context(), port=ports["screens"]))
        if not quiet:
            _introduce(directory, ports)
        _serve(screens, quiet=quiet)


def _introduce(directory: Path, ports: dict[str, int]) -> None:
    lines = [f"{name}={value}" for name, value in variables(directory, ports).items()]
    lines += [
        f"# APNs: team {TEAM}, key {KEY}, bundle {BUNDLE}, {directory / 'apns.p8'}",
        f"# FCM: {directory / 'service-account.json'}",
        f"# HarmonyOS: {directory / 'harmony.json'}",
        f"# E-mail: server={mail_server(ports)} from={SENDER}",
        f"# Webhook: url=https://127.0.0.1:{ports['webhook']}/push/APPLICATION_ID secret={SECRET}",
        f"# Faults: POST {{network, fault, count}} to https://127.0.0.1:{ports['screens']}/faults",
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
        account = {
            "type": "service_account", "project_id": PROJECT, "private_key_id": "0" * 40, "client_email": EMAIL,
            "private_key": _fresh_rsa(),
        }  # fmt: skip
        _write_secret(file, json.dumps(account))
    return GoogleService(PROJECT, {EMAIL: _public_half(json.loads(file.read_text())["private_key"])})


def _harmony(directory: Path, service: VendorService) -> None:
    """Huawei's service knows this key of a service account from now on."""
    assert isinstance(service, HuaweiService)
    file = directory / "harmony.json"
    if not file.exists():
        names = {"project_id": "7007", "key_id": "localkey", "sub_account": "7008"}
        _write_secret(file, json.dumps(names | {"private_key": _fresh_rsa()}))
    account = json.loads(file.read_text())
    service.project = account["project_id"]
    service.keys = {account["key_id"]: (account["sub_account"], _public_half(account["private_key"]))}


def _fresh_rsa() -> str:
    fresh = rsa.generate_private_key(65537, 2048)
    return fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _public_half(pem: str) -> bytes:
    key = load_pem_private_key(pem.encode(), password=None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


if __name__ == "__main__":
    given = [argument for argument in sys.argv[1:] if argument != "--quiet"]
    main(Path(given[0] if given else "var/counterparts"), quiet="--quiet" in sys.argv)
