import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# The hours that were counted before there were days.
SUM_OF_DAYS = """
    INSERT INTO verification_rollup_day (day, client_id, region, figure, member, count)
    SELECT date_trunc('day', hour, 'UTC'), client_id, region, figure, member, sum(count)
    FROM verification_rollup GROUP BY 1, 2, 3, 4, 5
"""


class Migration(migrations.Migration):

    dependencies = [
        ('verification', '0019_second_factor'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='RollupDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('region', models.CharField(max_length=16)),
                ('figure', models.CharField(choices=[('state', 'state'), ('outcome', 'outcome'), ('verdict', 'verdict'), ('reason', 'reason'), ('result', 'result code and message'), ('error', 'error'), ('attack', 'attack suspected'), ('device_tag', 'device tag'), ('verify_tag', 'verification tag'), ('billable', 'billed'), ('latency', 'upper end of the time the vendor used, in ms')], max_length=10)),
                ('member', models.CharField(max_length=200)),
                ('count', models.BigIntegerField()),
                ('day', models.DateTimeField()),
            ],
            options={
                'db_table': 'verification_rollup_day',
            },
        ),
        migrations.CreateModel(
            name='RollupMinute',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('region', models.CharField(max_length=16)),
                ('figure', models.CharField(choices=[('state', 'state'), ('outcome', 'outcome'), ('verdict', 'verdict'), ('reason', 'reason'), ('result', 'result code and message'), ('error', 'error'), ('attack', 'attack suspected'), ('device_tag', 'device tag'), ('verify_tag', 'verification tag'), ('billable', 'billed'), ('latency', 'upper end of the time the vendor used, in ms')], max_length=10)),
                ('member', models.CharField(max_length=200)),
                ('count', models.BigIntegerField()),
                ('minute', models.DateTimeField()),
            ],
            options={
                'db_table': 'verification_rollup_minute',
            },
        ),
        migrations.RemoveIndex(
            model_name='review',
            name='review_decided',
        ),
        migrations.RemoveIndex(
            model_name='rollup',
            name='rollup_hour',
        ),
        migrations.RemoveConstraint(
            model_name='rollup',
            name='rollup_once',
        ),
        migrations.AddConstraint(
            model_name='rollup',
            constraint=models.UniqueConstraint(fields=('hour', 'figure', 'client', 'region', 'member'), include=('count',), name='rollup_once'),
        ),
        migrations.AlterField(
            model_name='rollup',
            name='client',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='verification.apiclient'),
        ),
        migrations.RemoveIndex(
            model_name='review',
            name='review_due',
        ),
        migrations.AddIndex(
            model_name='review',
            index=models.Index(condition=models.Q(('state', 'decided'), _negated=True), fields=['due_at'], include=('attempt', 'state', 'snoozed_until', 'leased_by', 'assignee', 'opened_at', 'client'), name='review_due'),
        ),
        migrations.AddIndex(
            model_name='review',
            index=models.Index(condition=models.Q(('state', 'decided')), fields=['decided_at', 'attempt'], include=('opened_at', 'due_at', 'client', 'proposed_by', 'state'), name='review_decided'),
        ),
        migrations.AddIndex(
            model_name='reviewstep',
            index=models.Index(fields=['at'], include=('kind', 'by', 'review'), name='review_step_at'),
        ),
        migrations.AddIndex(
            model_name='verificationattempt',
            index=models.Index(condition=models.Q(('error_code__isnull', False)), fields=['error_code', 'created_at', 'id'], name='attempt_error'),
        ),
        migrations.AddField(
            model_name='rollupday',
            name='client',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='verification.apiclient'),
        ),
        migrations.AddField(
            model_name='rollupminute',
            name='client',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='verification.apiclient'),
        ),
        migrations.AddConstraint(
            model_name='rollupday',
            constraint=models.UniqueConstraint(fields=('day', 'figure', 'client', 'region', 'member'), include=('count',), name='rollup_day_once'),
        ),
        migrations.AddConstraint(
            model_name='rollupminute',
            constraint=models.UniqueConstraint(fields=('minute', 'client', 'region', 'figure', 'member'), name='rollup_minute_once'),
        ),
        migrations.RunSQL(SUM_OF_DAYS, migrations.RunSQL.noop),
    ]
