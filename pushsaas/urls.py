"""Routes of the control plane. The data plane's are in `asgi.py`, before Django."""

from django.urls import include, path

urlpatterns = [
    path("api/", include("apps.api.urls")),
    path("", include("apps.operations.urls")),
    path("", include("apps.dashboard.urls")),
]
