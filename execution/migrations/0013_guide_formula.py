from django.db import migrations


def rename(apps, schema_editor):
    """The guide's formula was stored as `default` as long as it was the default."""
    rows = apps.get_model("execution", "SlippageCalibration").objects
    rows.filter(model="default").update(model="guide")


def back(apps, schema_editor):
    rows = apps.get_model("execution", "SlippageCalibration").objects
    rows.filter(model="guide").update(model="default")


class Migration(migrations.Migration):
    dependencies = [("execution", "0012_event_kinds")]
    operations = [migrations.RunPython(rename, back)]
