"""Device: one installation of an app, one browser, or one mailbox, that a network can reach."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from apps.audience.models.people import Subscriber
from apps.core import clock
from apps.core.models import PublicIdModel, TimestampedModel
from apps.tenants.models import Application, TenantManager, TenantOwned


class Platform(models.TextChoices):
    IOS = "ios"
    ANDROID = "android"
    WEB = "web"
    UNIFIEDPUSH = "unifiedpush"
    EMAIL = "email"
    HUAWEI = "huawei"
    HARMONY = "harmony"
    HONOR = "honor"
    XIAOMI = "xiaomi"
    OPPO = "oppo"
    VIVO = "vivo"
    MEIZU = "meizu"


class AddressKind(models.TextChoices):
    TOKEN = "token"  # noqa: S105  # a kind, not a secret
    FID = "fid"
    URL = "url"
    MAILBOX = "mailbox"
    #: Apple's tokens that are for one push type alone.
    VOIP = "voip"
    PUSHTOTALK = "pushtotalk"
    COMPLICATION = "complication"
    LOCATION = "location"
    FILEPROVIDER = "fileprovider"
    LIVEACTIVITY = "liveactivity"
    WIDGETS = "widgets"
    CONTROLS = "controls"
    MDM = "mdm"


class Environment(models.TextChoices):
    PRODUCTION = "production"
    SANDBOX = "sandbox"


#: Devices that are sent to.
REACHABLE = models.Q(retired_at=None, quarantined_at=None)


class Device(PublicIdModel, TenantOwned, TimestampedModel):
    """Where one installation is reached, by which network, and whose it is.

    provider: name of the delivery route that reaches it. address: token, installation id, URL or mailbox; its hash is
    what is unique. installation_id: the app's own name for itself, if it has one; it keeps the row when the address
    changes. environment: APNs's. public_key, auth_secret: a Web Push subscription's. sender_key: id of the credential
    the subscription was made with.

    registered_at: moves on every registration, so that word of an older death does not retire a token that came back.
    strikes: refusals a day or more apart since the last success. quarantined_at, retired_at: not sent to since then.
    """

    public_id_prefix: ClassVar[str] = "dev"

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+", db_index=False)
    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="devices", db_index=False)
    platform = models.CharField(max_length=16, choices=Platform.choices)
    provider = models.CharField(max_length=16)
    address = models.TextField()
    address_hash = models.CharField(max_length=64, editable=False)
    address_kind = models.CharField(max_length=16, choices=AddressKind.choices)
    installation_id = models.CharField(max_length=128, blank=True, default="")
    environment = models.CharField(max_length=10, choices=Environment.choices, default=Environment.PRODUCTION)
    public_key = models.CharField(max_length=100, blank=True, default="")
    auth_secret = models.CharField(max_length=32, blank=True, default="")
    sender_key = models.CharField(max_length=40, blank=True, default="")
    registered_at = models.DateTimeField(default=clock.now)
    last_accepted_at = models.DateTimeField(null=True)
    strikes = models.SmallIntegerField(default=0)
    last_strike_at = models.DateTimeField(null=True)
    quarantined_at = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)
    retired_reason = models.CharField(max_length=64, blank=True, default="")

    objects: ClassVar[TenantManager[Device]] = TenantManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["tenant", "subscriber"], name="device_of_subscriber"),
            models.Index(fields=["tenant", "application", "-id"], name="device_of_application"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "application", "provider", "address_hash"], name="an_address_is_one_device"
            ),
            models.UniqueConstraint(
                fields=["tenant", "application", "provider", "installation_id"],
                condition=~models.Q(installation_id=""),
                name="an_installation_is_one_device",
            ),
            models.CheckConstraint(condition=~models.Q(address=""), name="device_has_an_address"),
        ]
