"""The ASGI application of the roles web and gateway: the data plane first, everything else to Django."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pushsaas.settings")

_django = get_asgi_application()

from apps.operations.health import register_probe  # noqa: E402
from apps.realtime.asgi import DataPlane  # noqa: E402  (needs the app registry that get_asgi_application fills)

application = DataPlane(control_plane=_django)
register_probe("realtime", application.problem)
