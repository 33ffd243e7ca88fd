"""Runs of the checks of controls, kept for ever, and the permission to see them."""

from importlib import import_module

import django.db.models.deletion
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import migrations, models

guards = import_module("verification.migrations.0003_guards")
rights = import_module("verification.migrations.0016_rights_guards")
prices = import_module("verification.migrations.0026_price_guards")

KEPT = ("verification_control_run", "verification_control_result")
READERS = ("approver", "auditor", "administrator")
INCLUDED = {
    role: (*held, "view_controls") if role in READERS else held
    for role, held in prices.INCLUDED.items()
}
"""What each role may include from now on."""


def install(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        schema = cursor.fetchone()[0]
        for statement in statements(schema, schema_editor.connection):
            cursor.execute(statement)


def statements(schema, connection):  # noqa: ARG001 - as the others
    """Return what is run, in order; `ledger_verify` holds the database against it."""
    body = rights.INCLUSION.format(
        schema=schema,
        refuse=rights.REFUSE,
        user_app=get_user_model()._meta.app_label,
        included=", ".join(
            f"('{role}', '{each}')" for role, held in INCLUDED.items() for each in held
        ),
    )
    yield (
        f"CREATE OR REPLACE FUNCTION verification_guard_inclusion() RETURNS trigger "
        f"LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body${body} $body$"
    )
    for table in KEPT:
        when = "BEFORE UPDATE OR DELETE"
        yield from guards._trigger(table, "rows", when, "verification_refuse", each="ROW")
        yield from guards._trigger(table, "truncate", "BEFORE TRUNCATE", "verification_refuse")


class Migration(migrations.Migration):

    dependencies = [
        ('verification', '0026_price_guards'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ControlRun',
            fields=[
                ('id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('started_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField()),
                ('origin', models.CharField(choices=[('worker', 'the worker'), ('admin', 'the admin'), ('command', 'a command')], max_length=7)),
                ('by_name', models.CharField(max_length=150)),
                ('digest', models.CharField(max_length=64)),
                ('holds', models.PositiveSmallIntegerField()),
                ('fails', models.PositiveSmallIntegerField()),
                ('unknown', models.PositiveSmallIntegerField()),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'check of the controls',
                'verbose_name_plural': 'checks of the controls',
                'db_table': 'verification_control_run',
                'ordering': ('-started_at', '-id'),
                'permissions': (('view_controls', "Can see and check controls, and take the auditor's pack"),),
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='ControlResult',
            fields=[
                ('id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('control', models.CharField(max_length=40)),
                ('state', models.CharField(max_length=7)),
                ('sentence', models.TextField()),
                ('evidence', models.JSONField()),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='results', to='verification.controlrun')),
            ],
            options={
                'verbose_name': 'result of a control',
                'verbose_name_plural': 'results of controls',
                'db_table': 'verification_control_result',
                'default_permissions': (),
            },
        ),
        migrations.AddIndex(
            model_name='controlrun',
            index=models.Index(fields=['-started_at', '-id'], name='control_run_started'),
        ),
        migrations.AddIndex(
            model_name='controlresult',
            index=models.Index(fields=['control', '-id'], name='control_history'),
        ),
        migrations.AddConstraint(
            model_name='controlresult',
            constraint=models.UniqueConstraint(fields=('run', 'control'), name='control_once_a_run'),
        ),
        migrations.AddConstraint(
            model_name='controlresult',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['holds', 'fails', 'unknown'])), name='control_state_known'),
        ),
        migrations.RunPython(install),
    ]
