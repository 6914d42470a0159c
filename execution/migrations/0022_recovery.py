from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('execution', '0015_positions'),
    ]

    operations = [
        migrations.CreateModel(
            name='DatabaseOrigin',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('system', models.CharField(blank=True, max_length=32)),
                ('database', models.BigIntegerField()),
                ('timeline', models.CharField(blank=True, max_length=8)),
            ],
        ),
        migrations.CreateModel(
            name='Recovery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('cause', models.CharField(max_length=300)),
                ('began_wall', models.DateTimeField(verbose_name='began at, real time')),
                ('backup_wall', models.DateTimeField(blank=True, null=True, verbose_name='backup taken at, real time')),
                ('was_halted', models.CharField(blank=True, max_length=300, verbose_name='halted before')),
                ('released_wall', models.DateTimeField(blank=True, null=True, verbose_name='released at, real time')),
                ('released_by', models.CharField(blank=True, max_length=150)),
                ('released_reason', models.CharField(blank=True, max_length=300)),
            ],
            options={
                'verbose_name_plural': 'recoveries',
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('released_by', ''), ('released_wall__isnull', True)), models.Q(('released_wall__isnull', False), models.Q(('released_by', ''), _negated=True)), _connector='OR'), name='recovery_released_by_somebody')],
            },
        ),
    ]
