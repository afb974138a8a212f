"""Unmodified Authlib against a running server: a token opens REST and data plane, and nothing once it is revoked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from tests.live import LiveServer, LiveTenant

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("live")]


def new_client(gateway: LiveServer, tenant: LiveTenant, *scopes: str) -> dict[str, Any]:
    answer = requests.post(
        f"{gateway.url}/api/v1/oauth-clients", json={"name": "Authlib", "scopes": scopes}, timeout=10,
        headers={"Authorization": f"Bearer {tenant.api_key}"},
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture
def made(gateway: LiveServer, live_tenant: LiveTenant) -> dict[str, Any]:
    return new_client(gateway, live_tenant, "publish", "usage.read")


@pytest.fixture
def session(gateway: LiveServer, made: dict[str, Any]) -> Iterator[OAuth2Session]:
    with OAuth2Session(made["id"], made["client_secret"]) as opened:
        opened.fetch_token(f"{gateway.url}/api/oauth/token", grant_type="client_credentials")
        yield opened


def publish(gateway: LiveServer, tenant: LiveTenant, session: OAuth2Session) -> int:
    event = {"name": "hello", "channel": "news", "data": "{}"}
    url = f"{gateway.url}/apps/{tenant.application_id}/events"
    return session.post(url, json=event, timeout=10).status_code


def publish_until_refused(gateway: LiveServer, tenant: LiveTenant, session: OAuth2Session) -> int:
    """The gateway hears of a revocation a moment later; far sooner than the 30 s it would have kept what it knew."""
    deadline = time.monotonic() + 10
    while (status := publish(gateway, tenant, session)) == 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    return status


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_it_gets_a_token_either_way(gateway: LiveServer, made: dict[str, Any], method: str) -> None:
    with OAuth2Session(made["id"], made["client_secret"], scope="publish", token_endpoint_auth_method=method) as client:
        token = client.fetch_token(f"{gateway.url}/api/oauth/token", grant_type="client_credentials")
        assert (token["token_type"], token["expires_in"], token["scope"]) == ("Bearer", 900, "publish")
        assert client.get(f"{gateway.url}/api/v1/me", timeout=10).json()["scopes"] == ["publish"]


def test_it_is_told_of_a_wrong_secret_and_of_too_many_scopes(gateway: LiveServer, made: dict[str, Any]) -> None:
    with OAuth2Session(made["id"], "wrong") as client, pytest.raises(OAuthError, match="invalid_client"):
        client.fetch_token(f"{gateway.url}/api/oauth/token", grant_type="client_credentials")
    with (
        OAuth2Session(made["id"], made["client_secret"], scope="keys.write") as client,
        pytest.raises(OAuthError, match="invalid_scope"),
    ):
        client.fetch_token(f"{gateway.url}/api/oauth/token", grant_type="client_credentials")


def test_it_publishes_for_its_own_application_only(
    gateway: LiveServer, live_tenant: LiveTenant, other_live_tenant: LiveTenant, session: OAuth2Session
) -> None:
    assert publish(gateway, live_tenant, session) == 200
    assert publish(gateway, other_live_tenant, session) == 404


def test_a_token_it_revokes_opens_nothing_although_the_gateway_knew_it(
    gateway: LiveServer, live_tenant: LiveTenant, session: OAuth2Session
) -> None:
    assert publish(gateway, live_tenant, session) == 200
    session.revoke_token(f"{gateway.url}/api/oauth/revoke", token=session.token["access_token"])
    assert session.get(f"{gateway.url}/api/v1/me", timeout=10).status_code == 401
    assert publish_until_refused(gateway, live_tenant, session) == 401


def test_revoking_the_client_ends_its_tokens_although_the_gateway_knew_them(
    gateway: LiveServer, live_tenant: LiveTenant, session: OAuth2Session, made: dict[str, Any]
) -> None:
    assert publish(gateway, live_tenant, session) == 200
    revoked = requests.delete(
        f"{gateway.url}/api/v1/oauth-clients/{made['id']}", timeout=10,
        headers={"Authorization": f"Bearer {live_tenant.api_key}"},
    )  # fmt: skip
    assert revoked.status_code == 204
    assert session.get(f"{gateway.url}/api/v1/me", timeout=10).status_code == 401
    assert publish_until_refused(gateway, live_tenant, session) == 401
