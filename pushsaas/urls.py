"""Routes of the control plane. The data plane's are in `asgi.py`, before Django."""

from django.urls import include, path

from apps.operations.admin import operator_site

urlpatterns = [
    path("operator/", operator_site.urls),
    path("api/", include("apps.api.urls")),
    path("", include("apps.api.client.urls")),
    path("", include("apps.operations.urls")),
    path("", include("apps.dashboard.urls")),
]

handler400 = "apps.dashboard.failures.bad_request"
handler403 = "apps.dashboard.failures.forbidden"
handler404 = "apps.dashboard.failures.not_found"
handler500 = "apps.dashboard.failures.server_error"
