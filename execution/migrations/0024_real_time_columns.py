"""Columns of real time end in `_real`: `sent_at_real`, `lease_until_real`."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation

import execution.domain.lifecycle

RENAMED = (
    ("BrokerAccount", "accepted_wall", "accepted_at_real"),
    ("BrokerAccount", "due_wall", "due_at_real"),
    ("BrokerAccount", "compared_wall", "compared_at_real"),
    ("BrokerAccount", "thorough_wall", "thorough_at_real"),
    ("BrokerAccount", "failing_wall", "failing_since_real"),
    ("BrokerDifference", "first_seen_wall", "first_seen_at_real"),
    ("BrokerDifference", "last_seen_wall", "last_seen_at_real"),
    ("BrokerDifference", "gone_wall", "gone_at_real"),
    ("BrokerDifference", "halted_wall", "halted_at_real"),
    ("IbkrGateway", "seen_wall", "seen_at_real"),
    ("IbkrGateway", "heard_wall", "heard_at_real"),
    ("IbkrGateway", "reconciled_wall", "reconciled_at_real"),
    ("RestrictedSymbol", "changed_wall", "changed_at_real"),
    ("RiskLimitChange", "changed_wall", "changed_at_real"),
    ("TradingStateChange", "changed_wall", "changed_at_real"),
    ("Heartbeat", "started_wall", "started_at_real"),
    ("Heartbeat", "seen_wall", "seen_at_real"),
    ("IbkrInquiry", "asked_wall", "asked_at_real"),
    ("IbkrInquiry", "taken_wall", "taken_at_real"),
    ("IbkrOrder", "valid_until_wall", "valid_until_real"),
    ("IbkrOrder", "cancel_asked_wall", "cancel_asked_at_real"),
    ("IbkrOrder", "cancel_sent_wall", "cancel_sent_at_real"),
    ("IbkrOrder", "queued_wall", "queued_at_real"),
    ("IbkrOrder", "sent_wall", "sent_at_real"),
    ("IbkrOrder", "changed_wall", "changed_at_real"),
    ("IbkrExecution", "recorded_wall", "recorded_at_real"),
    ("MarketClock", "wall_anchor", "real_anchor"),
    ("Order", "created_wall", "created_at_real"),
    ("Slice", "enqueued_wall", "enqueued_at_real"),
    ("Slice", "lease_until_wall", "lease_until_real"),
    ("Slice", "check_wall", "check_at_real"),
    ("OrderEvent", "recorded_wall", "recorded_at_real"),
    ("Fill", "recorded_wall", "recorded_at_real"),
    ("SlippageCalibration", "made_wall", "made_at_real"),
    ("TradingState", "changed_wall", "changed_at_real"),
    ("Recovery", "began_wall", "began_at_real"),
    ("Recovery", "backup_wall", "backup_at_real"),
    ("Recovery", "released_wall", "released_at_real"),
    ("VolumeProfile", "learned_wall", "learned_at_real"),
)


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("execution", "0019_paper_flow")]

    operations: ClassVar[list[Operation]] = [
        *(migrations.RenameField(model, old, new) for model, old, new in RENAMED),
        # PostgreSQL renames a column inside its indexes and constraints by itself.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveConstraint(
                    model_name='brokerdifference',
                    name='broker_difference_once',
                ),
                migrations.RemoveIndex(
                    model_name='brokerdifference',
                    name='broker_difference_open',
                ),
                migrations.RemoveIndex(
                    model_name='ibkrorder',
                    name='ibkr_order_cancel_asked',
                ),
                migrations.RemoveIndex(
                    model_name='ibkrorder',
                    name='ibkr_order_news',
                ),
                migrations.RemoveIndex(
                    model_name='order',
                    name='order_strategy_rate',
                ),
                migrations.RemoveIndex(
                    model_name='orderevent',
                    name='event_sent_recent',
                ),
                migrations.RemoveIndex(
                    model_name='slice',
                    name='slice_at_broker_by_check',
                ),
                migrations.AlterField(
                    model_name='brokeraccount',
                    name='accepted_at_real',
                    field=models.DateTimeField(blank=True, null=True, verbose_name='accepted at, real time'),
                ),
                migrations.AlterField(
                    model_name='brokeraccount',
                    name='compared_at_real',
                    field=models.DateTimeField(blank=True, null=True, verbose_name='compared at, real time'),
                ),
                migrations.AlterField(
                    model_name='brokeraccount',
                    name='due_at_real',
                    field=models.DateTimeField(blank=True, null=True, verbose_name='due at, real time'),
                ),
                migrations.AlterField(
                    model_name='brokeraccount',
                    name='failing_since_real',
                    field=models.DateTimeField(blank=True, null=True, verbose_name='failing since, real time'),
                ),
                migrations.AlterField(
                    model_name='brokeraccount',
                    name='thorough_at_real',
                    field=models.DateTimeField(blank=True, null=True, verbose_name='thorough at, real time'),
                ),
                migrations.AlterField(
                    model_name='brokerdifference',
                    name='first_seen_at_real',
                    field=models.DateTimeField(verbose_name='first seen at, real time'),
                ),
                migrations.AlterField(
                    model_name='brokerdifference',
                    name='gone_at_real',
                    field=models.DateTimeField(blank=True, null=True, verbose_name='gone at, real time'),
                ),
                migrations.AlterField(
                    model_name='brokerdifference',
                    name='halted_at_real',
                    field=models.DateTimeField(blank=True, null=True, verbose_name='halted at, real time'),
                ),
                migrations.AlterField(
                    model_name='brokerdifference',
                    name='last_seen_at_real',
                    field=models.DateTimeField(verbose_name='last seen at, real time'),
                ),
                migrations.AlterField(
                    model_name='fill',
                    name='recorded_at_real',
                    field=models.DateTimeField(auto_now_add=True, verbose_name='recorded at, real time'),
                ),
                migrations.AlterField(
                    model_name='heartbeat',
                    name='seen_at_real',
                    field=models.DateTimeField(verbose_name='seen at, real time'),
                ),
                migrations.AlterField(
                    model_name='heartbeat',
                    name='started_at_real',
                    field=models.DateTimeField(auto_now_add=True, verbose_name='started at, real time'),
                ),
                migrations.AlterField(
                    model_name='ibkrexecution',
                    name='recorded_at_real',
                    field=models.DateTimeField(auto_now_add=True, verbose_name='recorded at, real time'),
                ),
                migrations.AlterField(
                    model_name='ibkrgateway',
                    name='heard_at_real',
                    field=models.DateTimeField(blank=True, null=True, verbose_name='heard at, real time'),
                ),
                migrations.AlterField(
                    model_name='ibkrgateway',
                    name='reconciled_at_real',
                    field=models.DateTimeField(blank=True, null=True, verbose_name='reconciled at, real time'),
                ),
                migrations.AlterField(
                    model_name='ibkrgateway',
                    name='seen_at_real',
                    field=models.DateTimeField(blank=True, null=True, verbose_name='seen at, real time'),
                ),
                migrations.AlterField(
                    model_name='ibkrinquiry',
                    name='asked_at_real',
                    field=models.DateTimeField(auto_now_add=True, verbose_name='asked at, real time'),
                ),
                migrations.AlterField(
                    model_name='ibkrinquiry',
                    name='taken_at_real',
                    field=models.DateTimeField(blank=True, null=True, verbose_name='taken at, real time'),
                ),
                migrations.AlterField(
                    model_name='ibkrorder',
                    name='cancel_asked_at_real',
                    field=models.DateTimeField(blank=True, null=True, verbose_name='cancel asked at, real time'),
                ),
                migrations.AlterField(
                    model_name='ibkrorder',
                    name='cancel_sent_at_real',
                    field=models.DateTimeField(blank=True, null=True, verbose_name='cancel sent at, real time'),
                ),
                migrations.AlterField(
                    model_name='ibkrorder',
                    name='changed_at_real',
                    field=models.DateTimeField(verbose_name='changed at, real time'),
                ),
                migrations.AlterField(
                    model_name='ibkrorder',
                    name='queued_at_real',
                    field=models.DateTimeField(auto_now_add=True, verbose_name='queued at, real time'),
                ),
                migrations.AlterField(
                    model_name='ibkrorder',
                    name='sent_at_real',
                    field=models.DateTimeField(blank=True, null=True, verbose_name='sent at, real time'),
                ),
                migrations.AlterField(
                    model_name='ibkrorder',
                    name='valid_until_real',
                    field=models.DateTimeField(verbose_name='valid until, real time'),
                ),
                migrations.AlterField(
                    model_name='marketclock',
                    name='real_anchor',
                    field=models.DateTimeField(verbose_name='anchor in real time'),
                ),
                migrations.AlterField(
                    model_name='order',
                    name='created_at_real',
                    field=models.DateTimeField(auto_now_add=True, verbose_name='created at, real time'),
                ),
                migrations.AlterField(
                    model_name='orderevent',
                    name='recorded_at_real',
                    field=models.DateTimeField(auto_now_add=True, verbose_name='recorded at, real time'),
                ),
                migrations.AlterField(
                    model_name='restrictedsymbol',
                    name='changed_at_real',
                    field=models.DateTimeField(auto_now=True, verbose_name='changed at, real time'),
                ),
                migrations.AlterField(
                    model_name='risklimitchange',
                    name='changed_at_real',
                    field=models.DateTimeField(auto_now_add=True, verbose_name='changed at, real time'),
                ),
                migrations.AlterField(
                    model_name='slice',
                    name='check_at_real',
                    field=models.DateTimeField(blank=True, null=True, verbose_name='check at, real time'),
                ),
                migrations.AlterField(
                    model_name='slice',
                    name='enqueued_at_real',
                    field=models.DateTimeField(blank=True, null=True, verbose_name='enqueued at, real time'),
                ),
                migrations.AlterField(
                    model_name='slice',
                    name='lease_until_real',
                    field=models.DateTimeField(blank=True, null=True, verbose_name='lease until, real time'),
                ),
                migrations.AlterField(
                    model_name='slippagecalibration',
                    name='made_at_real',
                    field=models.DateTimeField(auto_now_add=True, verbose_name='made at, real time'),
                ),
                migrations.AlterField(
                    model_name='tradingstate',
                    name='changed_at_real',
                    field=models.DateTimeField(auto_now=True, verbose_name='changed at, real time'),
                ),
                migrations.AlterField(
                    model_name='tradingstatechange',
                    name='changed_at_real',
                    field=models.DateTimeField(auto_now_add=True, verbose_name='changed at, real time'),
                ),
                migrations.AlterField(
                    model_name='volumeprofile',
                    name='learned_at_real',
                    field=models.DateTimeField(auto_now_add=True, verbose_name='learned at, real time'),
                ),
                migrations.AddIndex(
                    model_name='brokerdifference',
                    index=models.Index(condition=models.Q(('gone_at_real__isnull', True)), fields=['id'], name='broker_difference_open'),
                ),
                migrations.AddIndex(
                    model_name='ibkrorder',
                    index=models.Index(condition=models.Q(('cancel_asked_at_real__isnull', False), models.Q(('cancel_sent_at_real__isnull', True), ('cancel_asked_at_real__gt', models.F('cancel_sent_at_real')), _connector='OR')), fields=['gateway'], name='ibkr_order_cancel_asked'),
                ),
                migrations.AddIndex(
                    model_name='ibkrorder',
                    index=models.Index(fields=['account', 'changed_at_real'], name='ibkr_order_news'),
                ),
                migrations.AddIndex(
                    model_name='order',
                    index=models.Index(fields=['strategy', 'created_at_real'], name='order_strategy_rate'),
                ),
                migrations.AddIndex(
                    model_name='orderevent',
                    index=models.Index(condition=models.Q(('kind__in', ['SLICE_SENDING', 'SLICE_RESENDING'])), fields=['recorded_at_real'], name='event_sent_recent'),
                ),
                migrations.AddIndex(
                    model_name='slice',
                    index=models.Index(condition=models.Q(('status__in', [execution.domain.lifecycle.SliceStatus['CANCELLING'], execution.domain.lifecycle.SliceStatus['SENDING'], execution.domain.lifecycle.SliceStatus['UNKNOWN'], execution.domain.lifecycle.SliceStatus['WORKING']])), fields=['check_at_real'], name='slice_at_broker_by_check'),
                ),
                migrations.AddConstraint(
                    model_name='brokerdifference',
                    constraint=models.UniqueConstraint(condition=models.Q(('gone_at_real__isnull', True)), fields=('broker', 'account', 'kind', 'subject'), name='broker_difference_once'),
                ),
                migrations.RemoveConstraint(
                    model_name='recovery',
                    name='recovery_released_by_somebody',
                ),
                migrations.AddConstraint(
                    model_name='recovery',
                    constraint=models.CheckConstraint(condition=models.Q(models.Q(('released_at_real__isnull', True), ('released_by', '')), models.Q(('released_at_real__isnull', False), models.Q(('released_by', ''), _negated=True)), _connector='OR'), name='recovery_released_by_somebody'),
                ),
            ]
        ),
    ]
