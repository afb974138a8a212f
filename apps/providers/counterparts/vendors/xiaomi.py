"""Xiaomi: the app secret in a header, a form, and a list of the ids that were no good."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from apps.providers.counterparts.server import Incoming, Outgoing
from apps.providers.counterparts.vendors.common import Shown, VendorService, form_body, say


@dataclass(slots=True)
class XiaomiService(VendorService):
    """apps: app secret -> package name. channels: those approved; "" stands for the default one."""

    apps: dict[str, str] = field(default_factory=dict)
    channels: set[str] = field(default_factory=lambda: {""})

    def take(self, incoming: Incoming) -> Outgoing:
        form = form_body(incoming)
        refusal = self._refuse(incoming, form)
        if refusal is not None:
            code, reason = refusal
            return say({"result": "error", "code": code, "reason": reason, "description": reason, "info": ""})
        devices = form["registration_id"].split(",")
        good = [device for device in devices if self.is_known(device)]
        self.shown += [Shown(device, form["title"], form["description"], dict(form)) for device in good]
        bad = ",".join(device for device in devices if device not in good)
        data = {"id": f"slm{secrets.token_hex(10)}"} | ({"bad_regids": bad} if bad else {})
        return say({"result": "ok", "code": 0, "trace_id": secrets.token_hex(6), "data": data, "info": "Received"})

    def _refuse(self, incoming: Incoming, form: dict[str, str]) -> tuple[int, str] | None:
        package = self.apps.get(incoming.headers.get("authorization", "").removeprefix("key="))
        if package is None:
            return 21301, "Authorization failed"
        if incoming.path != "/v3/message/regid" or package != form.get("restricted_package_name"):
            return 22022, "Package name is not of this application"
        devices = form.get("registration_id", "").split(",")
        if not 0 < len(form.get("title", "")) < 50 or not 0 < len(form.get("description", "")) < 128:
            return 10017, "Parameter value invalid"
        if form.get("extra.channel_id", "") not in self.channels:
            return 27001, "Channel is not approved"
        if len(devices) > 1_000 or not form.get("time_to_live", "0").isdecimal():
            return 10017, "Parameter value invalid"
        if not any(self.is_known(device) for device in devices):
            return 20301, "No valid targets"
        return None if self.has_quota(len(devices)) else (10034, "Day quota exceeded")
