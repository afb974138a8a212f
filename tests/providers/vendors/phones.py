"""Each phone maker as the tests meet it: its stand-in, a credential that is good there, and what its ids look like."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from apps.providers.counterparts.vendors.common import VendorService
from apps.providers.counterparts.vendors.honor import HonorService
from apps.providers.counterparts.vendors.huawei import HuaweiService
from apps.providers.counterparts.vendors.meizu import MeizuService
from apps.providers.counterparts.vendors.oppo import OppoService
from apps.providers.counterparts.vendors.vivo import VivoService
from apps.providers.counterparts.vendors.xiaomi import XiaomiService

KEY = rsa.generate_private_key(65537, 2048)
ACCOUNT = {
    "project_id": "101653", "key_id": "kid1", "sub_account": "116892607", "token_uri": "https://169.254.169.254/",
    "private_key": KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
}  # fmt: skip
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True)
class Phone:
    """name: of the provider. device: number -> an id as the vendor makes them. wrong: a stranger's fields.

    service_values: what a tenant adds whose service messages are approved.
    """

    name: str
    service: Callable[[], VendorService]
    values: Mapping[str, str]
    wrong: Mapping[str, str]
    service_values: Mapping[str, str] = field(default_factory=dict)

    def device(self, number: int) -> str:
        return f"{number + 1:0>23}" if self.name == "vivo" else f"{self.name}-device-{number}"


def _huawei() -> HuaweiService:
    return HuaweiService(apps={"104": "s3cret"}, keys={"kid1": ("116892607", PUBLIC)}, project="101653")


PHONES = {
    phone.name: phone
    for phone in (
        Phone(
            "huawei", _huawei, {"app_id": "104", "app_secret": "s3cret"}, {"app_secret": "other"},
            service_values={"service_category": "EXPRESS"},
        ),
        Phone(
            "harmony", _huawei, {"service_account": json.dumps(ACCOUNT)},
            {"service_account": json.dumps(ACCOUNT | {"sub_account": "42"})},
            service_values={"service_category": "EXPRESS"},
        ),
        Phone(
            "honor", lambda: HonorService(clients={"c1": ("s3cret", "104")}),
            {"app_id": "104", "client_id": "c1", "client_secret": "s3cret"}, {"client_secret": "other"},
            service_values={"service_right": "granted"},
        ),
        Phone(
            "xiaomi", lambda: XiaomiService(apps={"s3cret": "com.shop"}, channels={"", "news", "orders"}),
            {"app_secret": "s3cret", "package_name": "com.shop"}, {"app_secret": "other"},
            service_values={"channel_id": "news", "service_channel_id": "orders"},
        ),
        Phone(
            "oppo", lambda: OppoService(apps={"k1": "s3cret"}, channels={"", "news", "orders"}),
            {"app_key": "k1", "master_secret": "s3cret"}, {"master_secret": "other"},
            service_values={"channel_id": "news", "service_channel_id": "orders", "service_category": "ORDER"},
        ),
        Phone(
            "vivo", lambda: VivoService(apps={"10": ("k1", "s3cret")}),
            {"app_id": "10", "app_key": "k1", "app_secret": "s3cret"}, {"app_secret": "other"},
            service_values={"service_category": "ORDER"},
        ),
        Phone(
            "meizu", lambda: MeizuService(apps={"10": "s3cret"}), {"app_id": "10", "app_secret": "s3cret"},
            {"app_secret": "other"},
        ),
    )
}  # fmt: skip
