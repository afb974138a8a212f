"""The stand-ins of a run: the same place twice, what phones show in one shape, and only where they belong."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from django.test import override_settings

from apps.core.subscription_keys import read_keys
from apps.operations import stand_ins
from apps.providers.counterparts.apns import AppleService, Taken
from apps.providers.counterparts.browsers import Browsers
from apps.providers.counterparts.fcm import GoogleService
from apps.providers.counterparts.place import ports_in
from apps.providers.counterparts.receiver import ReceiverService
from apps.providers.counterparts.screens import Screens
from apps.providers.counterparts.server import Incoming
from apps.providers.counterparts.smtp import MailCounterpart
from apps.providers.counterparts.vendors.common import Shown
from apps.providers.counterparts.vendors.local import local_makers
from apps.providers.counterparts.webpush import PushService, Stored
from apps.providers.webpush.encryption import encrypt


def _screens(browsers: PushService) -> Screens:
    makers = {name: maker.service for name, maker in local_makers().items()}
    return Screens(
        AppleService({}, set()), GoogleService("shop", {}), browsers, makers, MailCounterpart(), ReceiverService()
    )


def _asked(screens: Screens, after: int) -> dict[str, object]:
    told: dict[str, object] = json.loads(screens.take(Incoming("GET", f"/shown?after={after}", {}, b"")).body)
    return told


def test_the_ports_stay_until_somebody_else_has_one(tmp_path: Path) -> None:
    first = ports_in(tmp_path)
    assert len(set(first.values())) == len(first)
    assert ports_in(tmp_path) == first
    with socket.socket() as other:
        other.bind(("127.0.0.1", first["apns"]))
        other.listen()
        assert ports_in(tmp_path)["apns"] != first["apns"]


def test_every_network_is_shown_in_one_shape(tmp_path: Path) -> None:
    service = PushService(origin="https://127.0.0.1:1", browsers=Browsers(tmp_path / "browsers.json"))
    assert service.browsers is not None
    endpoint = service.subscribe("key").removeprefix(service.origin)
    keys = service.browsers.add(endpoint, "key").keys
    screens = _screens(service)
    ours = {"receipt": "t", "url": "https://shop.example/", "data": {"actions": [{"action": "b", "title": "Buy"}]}}
    alert = {"aps": {"alert": {"title": "T", "body": "B"}}, "pushsaas": ours}
    screens._apple.taken.append(Taken("1", "phone", {}, alert))
    google = {
        "token": "pixel",
        "notification": {"title": "T", "body": "B"},
        "data": {**ours, "data": json.dumps(ours["data"])},
    }
    screens._google.taken.append(google)
    body = encrypt(json.dumps({"title": "T", "body": "B", **ours}).encode(), read_keys(keys["p256dh"], keys["auth"]))
    service.stored.append(Stored(endpoint, "/m/1", "", 60, "high", body))
    whole = {"message": {"data": json.dumps({"receipt": "t", "url": "https://shop.example/"})}}
    screens._makers["huawei"].shown.append(Shown("mate", "T", "B", whole))
    screens._makers["huawei"].shown.append(Shown("pura", "T", "B", {"target": {"token": ["pura"]}, **whole}))
    screens._receiver.taken.append(("4711", {"recipient": "ann", "title": "T", "body": "B", **ours}))
    notices = _asked(screens, 0)["notices"]
    assert isinstance(notices, list)
    assert [one["network"] for one in notices] == ["apns", "fcm", "webpush", "huawei", "harmony", "webhook"]
    assert notices[-1]["device"] == "4711 ann"
    for one in notices:
        assert (one["title"], one["body"], one["receipt"], one["url"]) == ("T", "B", "t", "https://shop.example/")
    assert [one["buttons"] for one in notices[:3]] == [["Buy"]] * 3


def test_a_notice_is_told_once_and_all_again_after_a_restart(tmp_path: Path) -> None:
    screens = _screens(PushService())
    screens._google.taken.append({"token": "pixel"})
    assert _asked(screens, 0)["next"] == 1
    assert _asked(screens, 1)["notices"] == []
    assert len(_asked(screens, 99)["notices"]) == 1  # type: ignore[arg-type]  # a list


def test_a_browser_is_known_after_a_restart_and_reads_nothing_foreign(tmp_path: Path) -> None:
    made = Browsers(tmp_path / "browsers.json").add("/push/1", "key")
    again = Browsers(tmp_path / "browsers.json")
    assert again.known == {"/push/1": made}
    other = again.add("/push/2", "key").keys
    body = encrypt(b"{}", read_keys(other["p256dh"], other["auth"]))
    assert made.read(body) is None


@pytest.mark.parametrize(
    ("variables", "demo"),
    [
        ({"PUSHSAAS_STAND_INS": "0"}, True),
        ({"PUSHSAAS_DATABASE_URL": "postgresql://me@db/theirs"}, True),
        ({"PUSHSAAS_APNS_URL": "https://api.push.apple.com"}, True),
        ({}, False),
    ],
)
def test_real_networks_are_never_stood_in_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], demo: bool
) -> None:
    if demo:
        (tmp_path / "demo.json").write_text("{}")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with override_settings(HOME=tmp_path):
        stand_ins.prepare("http://127.0.0.1:8000")
    assert (stand_ins.are_running(), stand_ins.children()) == (False, [])
    assert dict(os.environ) == before
