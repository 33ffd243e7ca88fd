from django.db import migrations, models

FAILED = models.Q(("outcome__in", ["different_person", "liveness_failed"]))


class Migration(migrations.Migration):

    dependencies = [("verification", "0013_review_figures")]

    operations = [
        migrations.AddIndex(
            model_name="verificationattempt",
            index=models.Index(
                name="attempt_failed_subject",
                fields=["client", "subject", "settled_at"],
                condition=FAILED,
            ),
        ),
        migrations.AddIndex(
            model_name="verificationattempt",
            index=models.Index(
                name="attempt_failed_biz_no",
                fields=["client", "biz_no", "settled_at"],
                condition=FAILED,
            ),
        ),
    ]
