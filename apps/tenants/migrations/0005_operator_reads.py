from django.db import migrations

from apps.tenants.rls import OperatorReads


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0004_standing"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        OperatorReads("tenants_tenant", "tenants_membership", "tenants_application", "tenants_auditentry"),
        OperatorReads("django_content_type", bound=False),
    ]
