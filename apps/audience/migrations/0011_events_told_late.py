"""Events told more than a day after they happened: few, and found without reading a month of them."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

_INDEX = """
CREATE INDEX event_told_late ON audience_event (tenant_id, application_id, name, received_at)
WHERE received_at - occurred_at >= interval '24 hours'
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("audience", "0010_apple_tokens")]
    operations: ClassVar = [migrations.RunSQL(_INDEX, "DROP INDEX event_told_late")]
