"""Routes of the dashboard: an area is a package beside this file with a `urls` module."""

import pkgutil
from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

import apps.dashboard

app_name = "dashboard"

_areas = [module.name for module in pkgutil.iter_modules(apps.dashboard.__path__, "apps.dashboard.") if module.ispkg]
urlpatterns: list[URLPattern | URLResolver] = [
    path("", include(f"{area}.urls")) for area in _areas if find_spec(f"{area}.urls")
]
