from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="application",
            name="webhook_events",
            field=ArrayField(
                base_field=models.CharField(max_length=32), db_default=models.Value("{}"), default=list, size=None
            ),
        ),
    ]
