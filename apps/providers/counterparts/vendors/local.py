"""The phone makers as a run on this machine has them, and what a tenant would enter to send by them."""

from __future__ import annotations

from dataclasses import dataclass

from apps.providers.counterparts.vendors.common import VendorService
from apps.providers.counterparts.vendors.honor import HonorService
from apps.providers.counterparts.vendors.huawei import HuaweiService
from apps.providers.counterparts.vendors.meizu import MeizuService
from apps.providers.counterparts.vendors.oppo import OppoService
from apps.providers.counterparts.vendors.vivo import VivoService
from apps.providers.counterparts.vendors.xiaomi import XiaomiService

_SECRET = "local-secret"  # noqa: S105  # opens nothing but these


@dataclass(frozen=True, slots=True)
class Maker:
    """values: of a credential that is good here. token_path: of its OAuth endpoint, if it has one."""

    service: VendorService
    values: dict[str, str]
    token_path: str = ""

    def variables(self, name: str, origin: str) -> list[str]:
        """What points a run at it."""
        lines = [f"PUSHSAAS_{name.upper()}_URL={origin}"]
        return lines + ([f"PUSHSAAS_{name.upper()}_TOKEN_URL={origin}{self.token_path}"] if self.token_path else [])


def local_makers() -> dict[str, Maker]:
    """By the name of their route."""
    app = "com.example.shop"
    return {
        "huawei": Maker(
            HuaweiService(apps={"1001": _SECRET}), {"app_id": "1001", "app_secret": _SECRET}, "/oauth2/v3/token"
        ),
        "honor": Maker(
            HonorService(clients={"2002": (_SECRET, "1001")}),
            {"app_id": "1001", "client_id": "2002", "client_secret": _SECRET}, "/auth/token",
        ),
        "xiaomi": Maker(XiaomiService(apps={_SECRET: app}), {"app_secret": _SECRET, "package_name": app}),
        "oppo": Maker(OppoService(apps={"3003": _SECRET}), {"app_key": "3003", "master_secret": _SECRET}),
        "vivo": Maker(
            VivoService(apps={"4004": ("5005", _SECRET)}),
            {"app_id": "4004", "app_key": "5005", "app_secret": _SECRET},
        ),
        "meizu": Maker(MeizuService(apps={"6006": _SECRET}), {"app_id": "6006", "app_secret": _SECRET}),
    }  # fmt: skip
