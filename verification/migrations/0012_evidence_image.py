from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("verification", "0008_replay")]

    operations = [
        migrations.AddIndex(
            model_name="evidence",
            index=models.Index(
                name="evidence_image",
                fields=["sha256"],
                condition=models.Q(("kind__startswith", "image")),
            ),
        ),
    ]
