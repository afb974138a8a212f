"""The paying customer and what identifies it: members, applications, keys, audit."""

from __future__ import annotations

from typing import Any, ClassVar, Self, TypeVar, cast

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core import clock
from apps.core.errors import NotFound
from apps.core.models import PublicIdModel, TimestampedModel
from apps.tenants.permissions import Role
from apps.tenants.scope import require_scope
from apps.tenants.standing import Standing, worst

M = TypeVar("M", bound=models.Model, covariant=True)


class TenantQuerySet(models.QuerySet[M]):
    def of(self, tenant: Tenant | int) -> Self:
        """The written-out filter. Row-level security stands under it, the planner works with it."""
        return self.filter(tenant_id=tenant if isinstance(tenant, int) else tenant.pk)

    def access(self, public_id: str) -> M:
        """The one row with this public id, or NotFound: whatever is wrong with the id, the answer is the same."""
        number_of = cast("type[PublicIdModel]", self.model).number_of
        row = self.filter(pk=number_of(public_id)).first()
        if row is None:
            raise NotFound
        return row


class TenantManager(models.Manager[M]):
    """The way into every tenant-owned table. Refuses to start a query outside a tenancy scope.

    Used as `objects: ClassVar[TenantManager[Thing]] = TenantManager()`; a model with a QuerySet of its own subclasses
    this and overrides `queryset_class` and `get_queryset`.
    """

    queryset_class: ClassVar[type[Any]] = TenantQuerySet

    def get_queryset(self) -> TenantQuerySet[M]:
        require_scope()
        queryset: TenantQuerySet[M] = self.queryset_class(self.model, using=self._db)
        return queryset

    def of(self, tenant: Tenant | int) -> TenantQuerySet[M]:
        return self.get_queryset().of(tenant)

    def access(self, public_id: str) -> M:
        return self.get_queryset().access(public_id)


class Tenant(PublicIdModel, TimestampedModel):
    """The paying customer. Its row is bound by row-level security like everything it owns."""

    public_id_prefix: ClassVar[str] = "ten"

    name = models.CharField(_("name"), max_length=120)
    language = models.CharField(_("language"), max_length=16, default="en")
    timezone = models.CharField(_("time zone"), max_length=64, default="UTC")
    home_region = models.CharField(max_length=32)
    #: Random key of this tenant, sealed by the installation's key: deleting it shreds the tenant's secrets.
    data_key = models.TextField(editable=False)
    requires_mfa = models.BooleanField(
        _("every member needs a second factor"),
        default=False,
        help_text=_("Owners and administrators always need one."),
    )
    #: What its unpaid invoices led to, and what an operator decided: the worse of the two counts.
    unpaid_standing = models.CharField(
        max_length=10, choices=Standing.choices, default=Standing.GOOD, db_default=Standing.GOOD
    )
    operator_standing = models.CharField(
        max_length=10, choices=Standing.choices, default=Standing.GOOD, db_default=Standing.GOOD
    )
    #: The operator's words, which the tenant reads.
    suspension_reason = models.CharField(_("reason"), max_length=300, blank=True, db_default="")

    objects: ClassVar[TenantManager[Tenant]] = TenantManager()

    class Meta:
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")
        constraints: ClassVar = [
            models.CheckConstraint(condition=~models.Q(name=""), name="tenant_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def standing(self) -> Standing:
        return worst(self.unpaid_standing, self.operator_standing)


class TenantOwned(models.Model):
    """A row that belongs to one tenant. Its table needs a TenantPolicy in the migration that makes it."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)

    class Meta:
        abstract = True


class Membership(PublicIdModel, TenantOwned, TimestampedModel):
    """A person's part in a tenant."""

    public_id_prefix: ClassVar[str] = "mem"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=16, choices=[(role.value, role.value) for role in Role])

    objects: ClassVar[TenantManager[Membership]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "user"], name="a_person_is_a_member_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=[role.value for role in Role]), name="membership_role_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"


class Invitation(PublicIdModel, TenantOwned, TimestampedModel):
    """An e-mail address that may join with a role. The link carries a token of which only the hash is kept."""

    public_id_prefix: ClassVar[str] = "inv_m"

    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=16, choices=[(role.value, role.value) for role in Role])
    token_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager[Invitation]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "email"],
                condition=models.Q(accepted_at=None),
                name="one_open_invitation_per_address",
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=[role.value for role in Role]), name="invitation_role_is_known"
            ),
        ]


class Application(PublicIdModel, TenantOwned, TimestampedModel):
    """One app of a tenant. Clients know it by `application_id`, a random decimal number.

    settings: switches and limits of the data plane; missing ones mean the default. Read them through
    `apps.tenants.application_settings.ApplicationSettings`.
    webhook_events: names of the channel events that somebody out there waits for; the data plane notes no others.
    """

    public_id_prefix: ClassVar[str] = "app"

    application_id = models.CharField(max_length=20, unique=True)
    name = models.CharField(_("name"), max_length=120)
    is_enabled = models.BooleanField(_("enabled"), default=True)
    settings = models.JSONField(default=dict)
    webhook_events = ArrayField(models.CharField(max_length=32), default=list, db_default=models.Value("{}"))

    objects: ClassVar[TenantManager[Application]] = TenantManager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["tenant", "id"], name="application_of_tenant")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(application_id__regex=r"^[0-9]{1,20}$"), name="application_id_is_decimal"
            ),
            models.CheckConstraint(condition=~models.Q(name=""), name="application_has_a_name"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.application_id})"


class Credential(PublicIdModel, TenantOwned, TimestampedModel):
    """A key and secret of an application (Pusher's sense): the key is public, the secret signs. Several may live."""

    public_id_prefix: ClassVar[str] = "crd"

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="credentials")
    key = models.CharField(max_length=64, unique=True)
    secret_sealed = models.TextField(editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[TenantManager[Credential]] = TenantManager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["tenant", "application"], name="credential_of_application")]


class ApiKey(PublicIdModel, TenantOwned, TimestampedModel):
    """A Bearer key of the REST API: `psk_{mode}_{prefix}_{secret}{checksum}`. Only a hash of it is kept."""

    public_id_prefix: ClassVar[str] = "key"

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(_("name"), max_length=120)
    prefix = models.CharField(max_length=8, unique=True)
    hash = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(default=list)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[TenantManager[ApiKey]] = TenantManager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["tenant", "application"], name="api_key_of_application")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_active(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > clock.now())


class OAuthClient(PublicIdModel, TenantOwned, TimestampedModel):
    """A program that proves itself with a secret and gets short-lived tokens. Its public id is OAuth's `client_id`.

    last_used_at: when it was last given a token.
    """

    public_id_prefix: ClassVar[str] = "ocl"

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="oauth_clients")
    name = models.CharField(_("name"), max_length=120)
    secret_hash = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(default=list)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[TenantManager[OAuthClient]] = TenantManager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["tenant", "application"], name="oauth_client_of_application")]

    def __str__(self) -> str:
        return self.name


class OAuthToken(TenantOwned):
    """An access token of a client, as its SHA-256. A revoked one has no row any more."""

    client = models.ForeignKey(OAuthClient, on_delete=models.CASCADE, related_name="tokens")
    hash = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField(db_index=True)

    objects: ClassVar[TenantManager[OAuthToken]] = TenantManager()


class AuditEntry(TenantOwned):
    """Who did what. Append-only; each entry carries the hash of the one before it."""

    at = models.DateTimeField(default=clock.now)
    actor = models.CharField(max_length=254)
    action = models.CharField(max_length=80)
    target = models.CharField(max_length=120, blank=True)
    facts = models.JSONField(default=dict)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    objects: ClassVar[TenantManager[AuditEntry]] = TenantManager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log of organisations")
        indexes: ClassVar = [models.Index(fields=["tenant", "-id"], name="audit_of_tenant")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "previous_hash"], name="the_audit_chain_does_not_fork"),
        ]
