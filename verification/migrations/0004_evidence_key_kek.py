"""An index that finds evidence keys by the key-encryption key they are wrapped under."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("verification", "0003_guards"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="evidencekey",
            index=models.Index(
                condition=models.Q(("erased_at__isnull", True)),
                fields=["kek_id", "attempt"],
                name="evidence_key_kek",
            ),
        ),
    ]
