"""`manage.py collect_translations`: every text of the sources into the catalogues."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.operations import translations


class Command(BaseCommand):
    help = "Bring the gettext catalogues up to date with the sources; says how many texts still lack a translation."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        for path in translations.catalogues():
            catalogue = translations.update(path)
            empty = len(translations.untranslated(catalogue))
            self.stdout.write(f"{path.parent.parent.name}: {len(catalogue)} texts, {empty} without a translation")
