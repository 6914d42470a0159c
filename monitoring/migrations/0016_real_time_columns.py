"""Columns of real time end in `_real`: `sent_at_real`, `lease_until_real`."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation

RENAMED = (
    ("Alert", "raised_wall", "raised_at_real"),
    ("Alert", "acknowledged_wall", "acknowledged_at_real"),
    ("Alert", "ended_wall", "ended_at_real"),
    ("AlertDelivery", "next_try_wall", "next_try_at_real"),
    ("AlertDelivery", "settled_wall", "settled_at_real"),
    ("AlertDelivery", "news", "event"),
    ("CostAnalysis", "due_wall", "due_at_real"),
    ("CostAnalysis", "computed_wall", "computed_at_real"),
    ("DailySummary", "built_wall", "built_at_real"),
    ("WatchMark", "coming_id", "next_event_id"),
    ("WatchMark", "coming_wall", "next_noted_at_real"),
    ("WatchMark", "looked_wall", "evaluated_at_real"),
    ("ChannelHealth", "sent_wall", "sent_at_real"),
    ("ChannelHealth", "failing_wall", "failing_since_real"),
    ("MetricTotals", "counted_wall", "counted_at_real"),
    ("CostAnalysis", "late_due_wall", "late_due_at_real"),
    ("ReportDelivery", "next_try_wall", "next_try_at_real"),
    ("ReportDelivery", "sent_wall", "sent_at_real"),
    ("WebhookPosition", "noted_wall", "noted_at_real"),
    ("WebhookPosition", "read_wall", "read_at_real"),
    ("WebhookDelivery", "created_wall", "created_at_real"),
    ("WebhookDelivery", "next_try_wall", "next_try_at_real"),
    ("WebhookDelivery", "settled_wall", "settled_at_real"),
)

# The cursor of the counters is a document in its row.
NOTED = """
UPDATE monitoring_metrictotals
SET cursor = (cursor - '{old}') || jsonb_build_object('{new}', cursor -> '{old}')
WHERE cursor ? '{old}'
"""


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("monitoring", "0018_more_benchmarks")]

    operations: ClassVar[list[Operation]] = [
        *(migrations.RenameField(model, old, new) for model, old, new in RENAMED),
        migrations.RenameModel("WatchMark", "EventCursor"),
        # PostgreSQL renames a column inside its indexes and constraints by itself.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveConstraint(
                    model_name='alert',
                    name='alert_acknowledged_by_somebody',
                ),
                migrations.RemoveConstraint(
                    model_name='alert',
                    name='alert_standing_once',
                ),
                migrations.RemoveConstraint(
                    model_name='alert',
                    name='alert_ended_for_a_reason',
                ),
                migrations.RemoveConstraint(
                    model_name='alertdelivery',
                    name='delivery_settled_means_done',
                ),
                migrations.RemoveConstraint(
                    model_name='alertdelivery',
                    name='delivery_channel_once',
                ),
                migrations.RemoveIndex(
                    model_name='alert',
                    name='alert_active',
                ),
                migrations.RemoveIndex(
                    model_name='alert',
                    name='alert_standing',
                ),
                migrations.RemoveIndex(
                    model_name='alertdelivery',
                    name='delivery_due',
                ),
                migrations.RemoveIndex(
                    model_name='costanalysis',
                    name='cost_due',
                ),
                migrations.AlterField(
                    model_name='alertdelivery',
                    name='event',
                    field=models.CharField(choices=[('RAISED', 'Raised'), ('ESCALATED', 'Escalated'), ('ENDED', 'Ended')], default='RAISED', max_length=9),
                ),
                migrations.AddIndex(
                    model_name='alert',
                    index=models.Index(condition=models.Q(('acknowledged_at_real__isnull', True), ('ended_at_real__isnull', True)), fields=['severity'], name='alert_active'),
                ),
                migrations.AddIndex(
                    model_name='alert',
                    index=models.Index(condition=models.Q(('ended_at_real__isnull', True)), fields=['kind', 'order'], name='alert_standing'),
                ),
                migrations.AddIndex(
                    model_name='alertdelivery',
                    index=models.Index(condition=models.Q(('state', 'PENDING')), fields=['next_try_at_real'], name='delivery_due'),
                ),
                migrations.AddIndex(
                    model_name='costanalysis',
                    index=models.Index(condition=models.Q(('due_at_real__isnull', False)), fields=['due_at_real'], name='cost_due'),
                ),
                migrations.AddConstraint(
                    model_name='alert',
                    constraint=models.UniqueConstraint(condition=models.Q(('ended_at_real__isnull', True)), fields=('dedupe_key',), name='alert_standing_once'),
                ),
                migrations.AddConstraint(
                    model_name='alert',
                    constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('ended_at_real__isnull', True), ('ended_because', '')), models.Q(('ended_at__isnull', False), ('ended_at_real__isnull', False), models.Q(('ended_because', ''), _negated=True)), _connector='OR'), name='alert_ended_for_a_reason'),
                ),
                migrations.AddConstraint(
                    model_name='alert',
                    constraint=models.CheckConstraint(condition=models.Q(models.Q(('acknowledged_at_real__isnull', True), ('acknowledged_by', '')), models.Q(('acknowledged_at_real__isnull', False), models.Q(('acknowledged_by', ''), _negated=True)), _connector='OR'), name='alert_acknowledged_by_somebody'),
                ),
                migrations.AddConstraint(
                    model_name='alertdelivery',
                    constraint=models.UniqueConstraint(fields=('alert', 'channel', 'event'), name='delivery_channel_once'),
                ),
                migrations.AddConstraint(
                    model_name='alertdelivery',
                    constraint=models.CheckConstraint(condition=models.Q(models.Q(('settled_at_real__isnull', True), ('state', 'PENDING')), models.Q(models.Q(('state', 'PENDING'), _negated=True), ('settled_at_real__isnull', False)), _connector='OR'), name='delivery_settled_means_done'),
                ),
                migrations.RemoveConstraint(
                    model_name='webhookdelivery',
                    name='webhook_settled_means_done',
                ),
                migrations.RemoveIndex(
                    model_name='webhookdelivery',
                    name='webhook_settled',
                ),
                migrations.AddIndex(
                    model_name='webhookdelivery',
                    index=models.Index(fields=['settled_at_real'], name='webhook_settled'),
                ),
                migrations.AddConstraint(
                    model_name='webhookdelivery',
                    constraint=models.CheckConstraint(condition=models.Q(models.Q(('settled_at_real__isnull', True), ('state', 'PENDING')), models.Q(('settled_at_real__isnull', False), ('state__in', ['SENT', 'GIVEN_UP'])), _connector='OR'), name='webhook_settled_means_done'),
                ),
                migrations.RemoveIndex(
                    model_name='costanalysis',
                    name='cost_late_due',
                ),
                migrations.AddIndex(
                    model_name='costanalysis',
                    index=models.Index(condition=models.Q(('late_due_at_real__isnull', False)), fields=['late_due_at_real'], name='cost_late_due'),
                ),
            ]
        ),
        migrations.RunSQL(
            NOTED.format(old="noted_wall", new="noted_at_real"),
            NOTED.format(old="noted_at_real", new="noted_wall"),
        ),
        migrations.RemoveConstraint(model_name="alertdelivery", name="delivery_news_known"),
        migrations.AddConstraint(
            model_name="alertdelivery",
            constraint=models.CheckConstraint(
                condition=models.Q(event__in=["RAISED", "ESCALATED", "ENDED"]),
                name="delivery_event_known",
            ),
        ),
    ]
