"""The project: settings, routes and the two applications (ASGI, Celery). No logic lives here."""

from pushsaas.celery import app as celery_app

__all__ = ["celery_app"]
