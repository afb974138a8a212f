"""The application that a page of the audience is about."""

from __future__ import annotations

from apps.dashboard.access import DashboardRequest
from apps.dashboard.errors import NoApplication
from apps.tenants.models import Application


def chosen_application(request: DashboardRequest) -> Application:
    """Raises NoApplication, whose page says what to do."""
    if request.application is None:
        raise NoApplication
    return request.application
