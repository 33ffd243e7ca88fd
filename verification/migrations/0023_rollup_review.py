import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# What was decided and done before there were these rollups.
WORK = """
    INSERT INTO verification_rollup_review_day (day, client_id, by_id, approved, rejected, retry,
        in_time, seconded, glass, decided, proposed, returned, noted)
    SELECT date_trunc('day', at, 'UTC'), client_id, by_id,
        count(*) FILTER (WHERE decision = 'approved'),
        count(*) FILTER (WHERE decision = 'rejected'),
        count(*) FILTER (WHERE decision = 'retry'), count(*) FILTER (WHERE is_in_time),
        count(*) FILTER (WHERE is_seconded), count(*) FILTER (WHERE is_glass),
        count(*) FILTER (WHERE kind IN ('decided', 'glass_broken')),
        count(*) FILTER (WHERE kind = 'proposed'), count(*) FILTER (WHERE kind = 'returned'),
        count(*) FILTER (WHERE kind = 'noted')
    FROM (
        SELECT decided_at AS at, client_id, decided_by_id AS by_id, NULL AS kind, decision,
            decided_at <= due_at AS is_in_time, proposed_by_id IS NOT NULL AS is_seconded,
            glass_broken AS is_glass
        FROM verification_review WHERE state = 'decided'
        UNION ALL
        SELECT s.at, r.client_id, s.by_id, s.kind, NULL, NULL, NULL, NULL
        FROM verification_review_step AS s
        JOIN verification_review AS r ON r.attempt_id = s.review_id
    ) AS act
    GROUP BY 1, 2, 3
"""
HANDLING = """
    INSERT INTO verification_rollup_handling_day (day, client_id, bucket, count)
    SELECT date_trunc('day', decided_at, 'UTC'), client_id,
        width_bucket(date_part('epoch', decided_at - opened_at), tops), count(*)
    FROM verification_review, (
        SELECT array_agg((2 ^ (eighth / 8.0))::float8 ORDER BY eighth) AS tops
        FROM generate_series(40, 192) AS eighth
    ) AS t
    WHERE state = 'decided'
    GROUP BY 1, 2, 3
"""


class Migration(migrations.Migration):

    dependencies = [
        ('verification', '0022_four_eyes'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='RollupHandlingDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateTimeField()),
                ('bucket', models.SmallIntegerField()),
                ('count', models.IntegerField()),
                ('client', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='verification.apiclient')),
            ],
            options={
                'verbose_name': "rollup of a day's handling times",
                'verbose_name_plural': "rollups of days' handling times",
                'db_table': 'verification_rollup_handling_day',
                'constraints': [models.UniqueConstraint(fields=('day', 'client', 'bucket'), name='rollup_handling_day_once')],
            },
        ),
        migrations.CreateModel(
            name='RollupReviewDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateTimeField()),
                ('approved', models.IntegerField()),
                ('rejected', models.IntegerField()),
                ('retry', models.IntegerField()),
                ('in_time', models.IntegerField()),
                ('seconded', models.IntegerField()),
                ('glass', models.IntegerField()),
                ('decided', models.IntegerField()),
                ('proposed', models.IntegerField()),
                ('returned', models.IntegerField()),
                ('noted', models.IntegerField()),
                ('by', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('client', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='verification.apiclient')),
            ],
            options={
                'verbose_name': "rollup of a day's reviews",
                'verbose_name_plural': "rollups of days' reviews",
                'db_table': 'verification_rollup_review_day',
                'constraints': [models.UniqueConstraint(fields=('day', 'client', 'by'), name='rollup_review_day_once')],
            },
        ),
        migrations.RunSQL(WORK, migrations.RunSQL.noop),
        migrations.RunSQL(HANDLING, migrations.RunSQL.noop),
    ]
