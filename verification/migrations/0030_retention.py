"""Tables of retention and of legal holds, and the rules that an installation begins with."""

import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models
from django.utils import timezone

from verification.models.retention import BUILT_IN, BUILT_IN_NOTE


def first_rules(apps, schema_editor):
    rules = apps.get_model("verification", "RetentionRule")
    now = timezone.now()
    for id_, what, days in BUILT_IN:
        rules.objects.create(
            id=id_, what=what.value, days=days, recorded_at=now, note=BUILT_IN_NOTE
        )


class Migration(migrations.Migration):

    dependencies = [
        ('verification', '0027_controls'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='RetentionRule',
            fields=[
                ('id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('what', models.CharField(choices=[('evidence', 'evidence'), ('record', 'records')], max_length=8)),
                ('kind', models.CharField(max_length=80, null=True)),
                ('region', models.CharField(max_length=16, null=True)),
                ('days', models.PositiveIntegerField()),
                ('recorded_at', models.DateTimeField()),
                ('note', models.CharField(max_length=500)),
                ('recorded_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'retention rule',
                'verbose_name_plural': 'retention rules',
                'db_table': 'verification_retention_rule',
                'ordering': ('recorded_at', 'id'),
                'permissions': (('set_retention', 'Can set how long data is kept'),),
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='RetentionRun',
            fields=[
                ('id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('asked', 'waits for a decision'), ('refused', 'refused'), ('approved', 'waits for the worker'), ('running', 'running'), ('done', 'done'), ('cancelled', 'cancelled'), ('failed', 'failed')], max_length=9)),
                ('preview', models.JSONField()),
                ('reason', models.CharField(max_length=500)),
                ('asked_at', models.DateTimeField()),
                ('decided_at', models.DateTimeField(null=True)),
                ('started_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('seen', models.PositiveBigIntegerField(default=0)),
                ('expired', models.PositiveBigIntegerField(default=0)),
                ('held', models.PositiveBigIntegerField(default=0)),
                ('doubtful', models.PositiveBigIntegerField(default=0)),
                ('position_id', models.UUIDField(null=True)),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('decided_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('finished_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'retention run',
                'verbose_name_plural': 'retention runs',
                'db_table': 'verification_retention_run',
                'ordering': ('-asked_at', '-id'),
                'permissions': (('view_retention', 'Can see rules, runs and legal holds'), ('request_purge', 'Can ask for a retention run'), ('decide_purge', 'Can approve or refuse a retention run')),
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Expiry',
            fields=[
                ('attempt', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='expiry', serialize=False, to='verification.verificationattempt')),
                ('expired_at', models.DateTimeField()),
                ('rule', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='verification.retentionrule')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='expiries', to='verification.retentionrun')),
            ],
            options={
                'verbose_name': 'expiry of evidence',
                'verbose_name_plural': 'expiries of evidence',
                'db_table': 'verification_expiry',
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='LegalHold',
            fields=[
                ('id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('subject_digest', models.BinaryField(null=True)),
                ('subject_check', models.BinaryField(null=True)),
                ('reason', models.CharField(max_length=500)),
                ('placed_at', models.DateTimeField()),
                ('lift_reason', models.CharField(max_length=500, null=True)),
                ('lifted_at', models.DateTimeField(null=True)),
                ('attempt', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='holds', to='verification.verificationattempt')),
                ('lifted_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('placed_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'legal hold',
                'verbose_name_plural': 'legal holds',
                'db_table': 'verification_legal_hold',
                'ordering': ('-placed_at', '-id'),
                'permissions': (('hold_evidence', 'Can place and lift legal holds'),),
                'default_permissions': (),
                'constraints': [models.CheckConstraint(condition=models.Q(('lifted_by__isnull', True), models.Q(('lifted_by', models.F('placed_by')), _negated=True), _connector='OR'), name='hold_four_eyes'), models.CheckConstraint(condition=models.Q(models.Q(('attempt__isnull', False), ('subject_check__isnull', True), ('subject_digest__isnull', True)), models.Q(('attempt__isnull', True), ('subject_check__length', 32), ('subject_digest__length', 32)), _connector='OR'), name='hold_on_one'), models.CheckConstraint(condition=models.Q(models.Q(('lift_reason__isnull', True), ('lifted_at__isnull', True), ('lifted_by__isnull', True)), models.Q(('lift_reason__isnull', False), ('lifted_at__isnull', False), ('lifted_by__isnull', False)), _connector='OR'), name='hold_lifted_whole'), models.CheckConstraint(condition=models.Q(models.Q(('reason', ''), _negated=True), models.Q(('lift_reason', ''), _negated=True)), name='hold_has_reason'), models.UniqueConstraint(condition=models.Q(('lifted_at', None)), fields=('attempt',), name='hold_open_once_attempt'), models.UniqueConstraint(condition=models.Q(('lifted_at', None)), fields=('subject_digest',), name='hold_open_once_subject')],
            },
        ),
        migrations.AddConstraint(
            model_name='retentionrule',
            constraint=models.CheckConstraint(condition=models.Q(('what__in', ['evidence', 'record'])), name='retention_what_known'),
        ),
        migrations.AddConstraint(
            model_name='retentionrule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('days__gte', 1), ('days__lte', 36525), ('what', 'evidence')), models.Q(('days__gte', 1826), ('days__lte', 36525), ('what', 'record')), _connector='OR'), name='retention_days_in_range'),
        ),
        migrations.AddConstraint(
            model_name='retentionrule',
            constraint=models.CheckConstraint(condition=models.Q(('what', 'evidence'), ('kind__isnull', True), _connector='OR'), name='retention_record_has_no_kind'),
        ),
        migrations.AddConstraint(
            model_name='retentionrule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', ''), _negated=True), models.Q(('region', ''), _negated=True)), name='retention_rule_named'),
        ),
        migrations.AddConstraint(
            model_name='retentionrule',
            constraint=models.CheckConstraint(condition=models.Q(('note', ''), _negated=True), name='retention_rule_has_note'),
        ),
        migrations.AddConstraint(
            model_name='retentionrun',
            constraint=models.CheckConstraint(condition=models.Q(('decided_by__isnull', True), models.Q(('decided_by', models.F('asked_by')), _negated=True), _connector='OR'), name='retention_run_four_eyes'),
        ),
        migrations.AddConstraint(
            model_name='retentionrun',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['asked', 'refused', 'approved', 'running', 'done', 'cancelled', 'failed'])), name='retention_run_state_known'),
        ),
        migrations.AddConstraint(
            model_name='retentionrun',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('decided_at__isnull', True), ('decided_by__isnull', True), ('state__in', ['asked', 'cancelled'])), models.Q(models.Q(('state', 'asked'), _negated=True), ('decided_at__isnull', False), ('decided_by__isnull', False)), _connector='OR'), name='retention_run_decided_whole'),
        ),
        migrations.AddConstraint(
            model_name='retentionrun',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('finished_at__isnull', True), ('state__in', ['asked', 'approved', 'running'])), models.Q(models.Q(('state__in', ['asked', 'approved', 'running']), _negated=True), ('finished_at__isnull', False)), _connector='OR'), name='retention_run_finished_has_time'),
        ),
        migrations.AddConstraint(
            model_name='retentionrun',
            constraint=models.CheckConstraint(condition=models.Q(('seen', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('expired'), '+', models.F('held')), '+', models.F('doubtful')))), name='retention_run_counts'),
        ),
        migrations.AddConstraint(
            model_name='retentionrun',
            constraint=models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='retention_run_has_reason'),
        ),
        migrations.AddConstraint(
            model_name='retentionrun',
            constraint=models.UniqueConstraint(condition=models.Q(('finished_at', None)), fields=('finished_at',), name='retention_run_open_once', nulls_distinct=False),
        ),
        migrations.AddIndex(
            model_name='evidencekey',
            index=models.Index(condition=models.Q(('erased_at__isnull', True)), fields=['attempt'], name='evidence_key_live'),
        ),
        migrations.RunPython(first_rules),
    ]
