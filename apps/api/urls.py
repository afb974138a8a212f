"""Routes below /api/."""

from django.urls import URLPattern, URLResolver, include, path

from apps.api import documentation
from apps.api.oauth import endpoints

app_name = "api"
urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/openapi.json", documentation.openapi, name="openapi"),
    path("docs", documentation.try_it, name="docs"),
    path("oauth/token", endpoints.token, name="oauth-token"),
    path("oauth/revoke", endpoints.revoke, name="oauth-revoke"),
    path("v1/", include("apps.api.v1.urls")),
]
