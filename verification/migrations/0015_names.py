"""Names of the tables for people; the database does not change."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('verification', '0014_attempt_failures'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='apiclient',
            options={'ordering': ('name',), 'verbose_name': 'API client', 'verbose_name_plural': 'API clients'},
        ),
        migrations.AlterModelOptions(
            name='apikey',
            options={'ordering': ('-created_at',), 'verbose_name': 'API key', 'verbose_name_plural': 'API keys'},
        ),
        migrations.AlterModelOptions(
            name='erasure',
            options={'ordering': ('-requested_at', '-id'), 'permissions': (('request_erasure', 'Can request the erasure of evidence'), ('decide_erasure', 'Can approve or refuse the erasure of evidence')), 'verbose_name': 'erasure', 'verbose_name_plural': 'erasures'},
        ),
        migrations.AlterModelOptions(
            name='evidence',
            options={'verbose_name': 'evidence', 'verbose_name_plural': 'evidence'},
        ),
        migrations.AlterModelOptions(
            name='evidencekey',
            options={'verbose_name': 'evidence key', 'verbose_name_plural': 'evidence keys'},
        ),
        migrations.AlterModelOptions(
            name='ledgercheckpoint',
            options={'ordering': ('-size',), 'verbose_name': 'checkpoint', 'verbose_name_plural': 'checkpoints'},
        ),
        migrations.AlterModelOptions(
            name='ledgercosignature',
            options={'verbose_name': 'ledger cosignature', 'verbose_name_plural': 'ledger cosignatures'},
        ),
        migrations.AlterModelOptions(
            name='ledgernode',
            options={'verbose_name': 'ledger node', 'verbose_name_plural': 'ledger nodes'},
        ),
        migrations.AlterModelOptions(
            name='ledgerverification',
            options={'ordering': ('-finished_at',), 'verbose_name': 'ledger verification', 'verbose_name_plural': 'ledger verifications'},
        ),
        migrations.AlterModelOptions(
            name='mention',
            options={'verbose_name': 'mention', 'verbose_name_plural': 'mentions'},
        ),
        migrations.AlterModelOptions(
            name='policyreplay',
            options={'ordering': ('-asked_at', '-id'), 'verbose_name': 'what-if', 'verbose_name_plural': 'what-ifs'},
        ),
        migrations.AlterModelOptions(
            name='preference',
            options={'verbose_name': 'preference', 'verbose_name_plural': 'preferences'},
        ),
        migrations.AlterModelOptions(
            name='reveal',
            options={'ordering': ('-revealed_at', '-id'), 'permissions': (('reveal_evidence', 'Can reveal evidence, on record'),), 'verbose_name': 'reveal', 'verbose_name_plural': 'reveals'},
        ),
        migrations.AlterModelOptions(
            name='review',
            options={'ordering': ('priority', 'due_at', 'attempt_id'), 'permissions': (('work_review', 'Can take, note, snooze and propose or decide reviews'), ('second_review', "Can second or return another person's proposal"), ('assign_review', 'Can assign and prioritise reviews'), ('reopen_review', 'Can reopen what was decided'), ('break_glass', 'Can decide alone where two people are due, loudly')), 'verbose_name': 'review', 'verbose_name_plural': 'reviews'},
        ),
        migrations.AlterModelOptions(
            name='reviewpolicy',
            options={'ordering': ('-version',), 'permissions': (('propose_policy', 'Can propose a version of the review policy'), ('decide_policy', 'Can put a version of the review policy in force, or refuse it')), 'verbose_name': 'policy version', 'verbose_name_plural': 'policy versions'},
        ),
        migrations.AlterModelOptions(
            name='reviewstep',
            options={'ordering': ('at', 'id'), 'verbose_name': 'review step', 'verbose_name_plural': 'review steps'},
        ),
        migrations.AlterModelOptions(
            name='rollup',
            options={'verbose_name': 'rollup', 'verbose_name_plural': 'rollups'},
        ),
        migrations.AlterModelOptions(
            name='rollupposition',
            options={'verbose_name': 'rollup position', 'verbose_name_plural': 'rollup positions'},
        ),
        migrations.AlterModelOptions(
            name='savedfilter',
            options={'ordering': ('name',), 'verbose_name': 'saved filter', 'verbose_name_plural': 'saved filters'},
        ),
        migrations.AlterModelOptions(
            name='spentsign',
            options={'verbose_name': 'spent sign', 'verbose_name_plural': 'spent signs'},
        ),
        migrations.AlterModelOptions(
            name='stagedentry',
            options={'ordering': ('no',), 'verbose_name': 'staged entry', 'verbose_name_plural': 'staged entries'},
        ),
        migrations.AlterModelOptions(
            name='verificationattempt',
            options={'ordering': ('-created_at', '-id'), 'verbose_name': 'attempt', 'verbose_name_plural': 'attempts'},
        ),
        migrations.AlterModelOptions(
            name='verificationsession',
            options={'ordering': ('-created_at', '-id'), 'verbose_name': 'session', 'verbose_name_plural': 'sessions'},
        ),
    ]
