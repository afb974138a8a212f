"""The sidebar: its entries, who sees them, and which one a page belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from apps.tenants.permissions import may


@dataclass(frozen=True, slots=True)
class Entry:
    """route: url name. icon: symbol in static/img/icons.svg. permission: what the role needs, if anything."""

    label: Any
    route: str
    icon: str
    permission: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    label: Any
    entries: tuple[Entry, ...]


SECTIONS = (
    Section(
        None,
        (
            Entry(_("Overview"), "dashboard:overview", "gauge"),
            Entry(_("Console"), "dashboard:console", "terminal", "console.read"),
            Entry(_("Live page"), "dashboard:live", "phone", "console.publish"),
        ),
    ),
    Section(
        _("Audience"),
        (
            Entry(_("Subscribers"), "dashboard:subscriber-list", "people", "audience.read"),
            Entry(_("Segments"), "dashboard:segment-list", "filter", "audience.read"),
            Entry(_("Preferences"), "dashboard:category-list", "mail", "audience.read"),
        ),
    ),
    Section(
        _("Campaigns"),
        (
            Entry(_("Templates"), "dashboard:template-list", "document", "campaigns.read"),
            Entry(_("Campaigns"), "dashboard:campaign-list", "megaphone", "campaigns.read"),
            Entry(_("Journeys"), "dashboard:journey-list", "arrow", "campaigns.read"),
        ),
    ),
    Section(
        _("Organisation"),
        (
            Entry(_("Usage"), "dashboard:usage", "chart", "usage.read"),
            Entry(_("Invoices"), "dashboard:invoice-list", "document", "usage.read"),
            Entry(_("Applications"), "dashboard:application-list", "cube", "applications.read"),
            Entry(_("Push networks"), "dashboard:provider-list", "bolt", "applications.read"),
            Entry(_("Webhooks"), "dashboard:webhook-list", "send", "applications.read"),
            Entry(_("Members"), "dashboard:member-list", "badge", "members.read"),
            Entry(_("Audit log"), "dashboard:audit", "document", "audit.read"),
            Entry(_("Security"), "dashboard:security", "shield"),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Link:
    label: Any
    url: str
    icon: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class LinkGroup:
    label: Any
    links: tuple[Link, ...]


def links_for(role: str, path: str) -> list[LinkGroup]:
    """The entries this role may see, with the one that `path` lies under marked."""
    resolved = [(section, _resolve(section, role)) for section in SECTIONS]
    urls = [url for _section, found in resolved for _entry, url in found if path.startswith(url)]
    current = max(urls, key=len, default="")
    return [
        LinkGroup(section.label, tuple(Link(e.label, url, e.icon, url == current) for e, url in found))
        for section, found in resolved
        if found
    ]


def _resolve(section: Section, role: str) -> list[tuple[Entry, str]]:
    """An area that is not installed has no route, and then no entry."""
    found = []
    for entry in section.entries:
        if entry.permission is not None and not may(role, entry.permission):
            continue
        try:
            found.append((entry, reverse(entry.route)))
        except NoReverseMatch:
            continue
    return found
