"""`manage.py compile_translations`: .po to .mo, without system gettext."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.operations import translations


class Command(BaseCommand):
    help = "Compile the gettext catalogues that changed."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        for path in translations.compile_stale():
            self.stdout.write(f"compiled {path.relative_to(path.parents[2])}")
