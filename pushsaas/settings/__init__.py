"""The settings. Everything that differs between installations comes from `pushsaas/env.py`."""

from pushsaas.settings.base import *  # noqa: F403
from pushsaas.settings.billing import *  # noqa: F403
from pushsaas.settings.database import *  # noqa: F403
from pushsaas.settings.networks import *  # noqa: F403
from pushsaas.settings.people import *  # noqa: F403
from pushsaas.settings.rest import *  # noqa: F403
from pushsaas.settings.work import *  # noqa: F403
