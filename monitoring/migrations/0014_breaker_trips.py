from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('monitoring', '0016_real_time_columns'),
    ]

    operations = [
        migrations.CreateModel(
            name='BreakerTrip',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('breaker', models.CharField(max_length=24)),
                ('scope', models.CharField(max_length=8)),
                ('key', models.CharField(blank=True, max_length=64)),
                ('account', models.CharField(blank=True, max_length=32)),
                ('measured', models.DecimalField(decimal_places=6, max_digits=24)),
                ('threshold', models.DecimalField(decimal_places=6, max_digits=24)),
                ('words', models.CharField(max_length=300)),
                ('tripped_at', models.DateTimeField()),
                ('tripped_at_real', models.DateTimeField(verbose_name='tripped at, real time')),
                ('cooldown_until_real', models.DateTimeField(verbose_name='cool-down until, real time')),
                ('resumed_at_real', models.DateTimeField(blank=True, null=True, verbose_name='resumed at, real time')),
                ('resumed_by', models.CharField(blank=True, max_length=150)),
                ('resumed_reason', models.CharField(blank=True, max_length=300)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['tripped_at_real'], name='breaker_trip_recent')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('resumed_at_real__isnull', True)), fields=('breaker', 'scope', 'key'), name='breaker_trip_open_once'), models.CheckConstraint(condition=models.Q(models.Q(('resumed_at_real__isnull', True), ('resumed_by', '')), models.Q(('resumed_at_real__isnull', False), models.Q(('resumed_by', ''), _negated=True)), _connector='OR'), name='breaker_resumed_by_somebody')],
            },
        ),
    ]
