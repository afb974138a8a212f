"""What each role may do. A permission is `area.verb`; API keys carry the same names as scopes."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    MARKETER = "marketer"
    ANALYST = "analyst"


READS = frozenset(
    {"applications.read", "audience.read", "campaigns.read", "console.read", "usage.read", "members.read"}
)
_MARKETING = frozenset({"audience.write", "campaigns.write", "campaigns.send", "campaigns.approve"})
_BUILDING = frozenset(
    {"applications.write", "keys.write", "console.publish", "audience.write", "webhooks.write", "usage.write"}
)
_RUNNING = frozenset({"limits.write", "members.write", "tenant.write", "audit.read"})
_OWNING = frozenset({"tenant.delete", "billing.write"})

PERMISSIONS: dict[Role, frozenset[str]] = {
    Role.OWNER: READS | _MARKETING | _BUILDING | _RUNNING | _OWNING,
    Role.ADMIN: READS | _MARKETING | _BUILDING | _RUNNING,
    Role.DEVELOPER: READS | _BUILDING,
    Role.MARKETER: READS | _MARKETING,
    Role.ANALYST: READS,
}
ALL_PERMISSIONS = PERMISSIONS[Role.OWNER]
#: What an API key may be given: everything an app does, nothing a person must answer for.
KEY_SCOPES = frozenset(
    {
        "publish", "audience.read", "audience.write", "campaigns.read", "campaigns.write", "campaigns.send",
        "usage.read", "usage.write", "limits.write", "applications.read", "applications.write", "keys.write",
        "webhooks.write",
    }
)  # fmt: skip
#: These people may not work without a second factor.
MFA_ROLES = frozenset({Role.OWNER, Role.ADMIN})


def may(role: Role | str, permission: str) -> bool:
    return permission in PERMISSIONS[Role(role)]
