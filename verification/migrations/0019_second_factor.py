import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("verification", "0018_export_guards"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="LoginMinute",
            fields=[
                ("minute", models.DateTimeField(primary_key=True, serialize=False)),
                ("refused", models.PositiveIntegerField()),
            ],
            options={
                "db_table": "verification_login_minute",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="LoginTry",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("failures", models.PositiveIntegerField()),
                ("expires_at", models.DateTimeField(db_index=True)),
            ],
            options={
                "db_table": "verification_login_try",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="RecoveryCode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.BinaryField()),
                ("used_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "verification_recovery_code",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="SecondFactor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(help_text="The human-readable name of this device.", max_length=64)),
                ("confirmed", models.BooleanField(default=True, help_text="Is this device ready for use?")),
                ("throttling_failure_timestamp", models.DateTimeField(blank=True, default=None, help_text="A timestamp of the last failed verification attempt. Null if last attempt succeeded.", null=True)),
                ("throttling_failure_count", models.PositiveIntegerField(default=0, help_text="Number of successive failed attempts.")),
                ("secret_id", models.UUIDField(editable=False, unique=True)),
                ("kek_id", models.CharField(max_length=32)),
                ("sealed", models.BinaryField()),
                ("last_step", models.BigIntegerField(null=True)),
                ("made_at", models.DateTimeField()),
                ("confirmed_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "verification_second_factor",
                "permissions": (("view_logins", "Can see recent logins"),),
                "default_permissions": (),
            },
        ),
        migrations.AddIndex(
            model_name="ledgerentry",
            index=models.Index(condition=models.Q(("kind__startswith", "staff.")), fields=["index"], name="ledger_entry_staff"),
        ),
        migrations.AddField(
            model_name="secondfactor",
            name="user",
            field=models.ForeignKey(help_text="The user that this device belongs to.", on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name="recoverycode",
            name="factor",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="codes", to="verification.secondfactor"),
        ),
        migrations.AddConstraint(
            model_name="secondfactor",
            constraint=models.UniqueConstraint(fields=("user",), name="second_factor_person"),
        ),
        migrations.AddConstraint(
            model_name="secondfactor",
            constraint=models.CheckConstraint(condition=models.Q(models.Q(("confirmed", True), ("confirmed_at__isnull", False)), models.Q(("confirmed", False), ("confirmed_at__isnull", True)), _connector="OR"), name="second_factor_confirmed"),
        ),
        migrations.AddConstraint(
            model_name="recoverycode",
            constraint=models.UniqueConstraint(fields=("factor", "digest"), name="recovery_code_once"),
        ),
    ]
