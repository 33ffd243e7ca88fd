"""Version 1 of the review policy is in force until people agree on another."""

from django.db import migrations
from django.utils import timezone

from verification.policy.document import BUILT_IN, write_document


def first_policy(apps, schema_editor):
    now = timezone.now()
    apps.get_model("verification", "ReviewPolicy").objects.create(
        version=1,
        document=write_document(BUILT_IN).decode(),
        note="The policy that came with the installation.",
        state="active",
        proposed_at=now,
        decided_at=now,
    )


class Migration(migrations.Migration):

    dependencies = [("verification", "0005_review")]

    operations = [migrations.RunPython(first_policy)]
