"""Where the stand-ins of one machine are: which ports, which keys, and the variables that point a run at them.

All of it lives in one directory and stays the same from run to run, so that credentials and browsers that were saved
with it go on working.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path

from apps.providers.counterparts.receiver import SECRET
from apps.providers.counterparts.vendors.local import local_makers

#: What runs: Apple, Google, the browsers' service, a mail server, a tenant's own server, the phones' screens. The
#: makers come from their own list.
OURS = ("apns", "fcm", "webpush", "email", "webhook", "screens")
SENDER = "Shop <news@shop.example>"
TEAM, KEY, BUNDLE, PROJECT = "LOCALTEAM1", "LOCALKEY01", "com.example.shop", "shop-local"


def ports_in(directory: Path) -> dict[str, int]:
    """Name -> port on 127.0.0.1: those of last time, and more for what is new; where one is taken by somebody else, new
    ones for all."""
    file = directory / "ports.json"
    names = [*OURS, *local_makers()]
    known = json.loads(file.read_text()) if file.exists() else {}
    kept = {name: int(port) for name, port in known.items() if name in names}
    if not all(map(_is_free, kept.values())):
        kept = {}
    more = [name for name in names if name not in kept]
    if not more:
        return kept
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = kept | dict(zip(more, _free_ports(len(more)), strict=True))
    file.write_text(json.dumps(fresh))
    return fresh


def variables(directory: Path, ports: Mapping[str, int]) -> dict[str, str]:
    """For the environment of every role of the run."""
    origin = {name: f"https://127.0.0.1:{port}" for name, port in ports.items()}
    found = {
        "PUSHSAAS_EGRESS_CA": str((directory / "ca.pem").absolute()),
        "PUSHSAAS_EGRESS_ALLOW": ",".join([origin["webpush"], origin["webhook"], f"smtp://{mail_server(ports)}"]),
        "PUSHSAAS_APNS_URL": origin["apns"],
        "PUSHSAAS_APNS_SANDBOX_URL": origin["apns"],
        "PUSHSAAS_FCM_URL": origin["fcm"],
        "PUSHSAAS_GOOGLE_TOKEN_URL": f"{origin['fcm']}/token",
        "PUSHSAAS_STAND_INS_URL": origin["screens"],
        "PUSHSAAS_STAND_INS_PUSH_URL": origin["webpush"],
    }
    for name, maker in local_makers().items():
        found |= dict(line.split("=", 1) for line in maker.variables(name, origin[name]))
    return found


def mail_server(ports: Mapping[str, int]) -> str:
    return f"127.0.0.1:{ports['email']}"


def credentials(directory: Path, application_id: str) -> dict[str, dict[str, str]]:
    """Provider -> the fields of a credential that is good here. The stand-ins must have been started once."""
    ports = json.loads((directory / "ports.json").read_text())
    apple = {
        "team_id": TEAM, "key_id": KEY, "bundle_id": BUNDLE, "private_key": (directory / "apns.p8").read_text(),
    }  # fmt: skip
    google = {"service_account": (directory / "service-account.json").read_text()}
    ours = {
        "apns": apple, "fcm": google,
        "harmony": {"service_account": (directory / "harmony.json").read_text()},
        "email": {"from": SENDER, "server": mail_server(ports)},
        "webhook": {"url": f"https://127.0.0.1:{ports['webhook']}/push/{application_id}", "secret": SECRET},
    }  # fmt: skip
    return ours | {name: maker.values for name, maker in local_makers().items()}


def _free_ports(count: int) -> list[int]:
    """Held all at once, so that no two are the same."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
