"""The verbs of tenancy. All but open_tenant expect the tenant's scope to be open and write to its audit log."""

from apps.tenants.services.api_keys import NewApiKey, create_api_key, revoke_api_key
from apps.tenants.services.applications import (
    NewApplication,
    NewCredential,
    add_credential,
    create_application,
    revoke_credential,
    set_webhook_events,
    update_application,
    update_application_settings,
)
from apps.tenants.services.audit import SYSTEM, ChainReport, record_audit, verify_audit
from apps.tenants.services.oauth_clients import (
    ACCESS_TOKEN_LIFETIME,
    NewOAuthClient,
    create_oauth_client,
    forget_expired_tokens,
    keep_access_token,
    revoke_access_token,
    revoke_oauth_client,
)
from apps.tenants.services.standing import (
    reactivate_tenant,
    require_not_restricted,
    require_not_suspended,
    set_unpaid_standing,
    suspend_tenant,
)
from apps.tenants.services.tenants import open_tenant

__all__ = [
    "ACCESS_TOKEN_LIFETIME",
    "SYSTEM",
    "ChainReport",
    "NewApiKey",
    "NewApplication",
    "NewCredential",
    "NewOAuthClient",
    "add_credential",
    "create_api_key",
    "create_application",
    "create_oauth_client",
    "forget_expired_tokens",
    "keep_access_token",
    "open_tenant",
    "reactivate_tenant",
    "record_audit",
    "require_not_restricted",
    "require_not_suspended",
    "revoke_access_token",
    "revoke_api_key",
    "revoke_credential",
    "revoke_oauth_client",
    "set_unpaid_standing",
    "set_webhook_events",
    "suspend_tenant",
    "update_application",
    "update_application_settings",
    "verify_audit",
]
