"""Routes below /api/."""

from django.urls import URLPattern, URLResolver, include, path

app_name = "api"
urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/", include("apps.api.v1.urls")),
]
