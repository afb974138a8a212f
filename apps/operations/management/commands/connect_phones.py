"""`manage.py connect_phones`: gives the demo application its phones. `make run` calls it where stand-ins run."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.errors import HouseError
from apps.operations import phones


class Command(BaseCommand):
    help = "Give the demo application credentials and phones at the stand-ins of the push networks on this machine."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            phones.connect()
        except HouseError as error:
            raise CommandError(f"{error} {dict(error.fields) or ''}") from error
