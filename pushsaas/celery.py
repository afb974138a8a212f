"""The Celery application. Each context names its own tasks and ticks in its `tasks.py`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pushsaas.settings")

app = Celery("pushsaas")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
