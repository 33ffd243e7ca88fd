from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("verification", "0012_evidence_image")]

    operations = [
        migrations.RemoveIndex(model_name="review", name="review_due"),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                name="review_due",
                fields=["due_at"],
                include=["attempt", "state", "snoozed_until", "leased_by", "assignee"],
                condition=models.Q(("state", "decided"), _negated=True),
            ),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                name="review_glass",
                fields=["round"],
                condition=models.Q(("glass_broken", True)),
            ),
        ),
    ]
