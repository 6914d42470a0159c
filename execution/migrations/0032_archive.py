"""Ended orders whose parts are in files; fills that are archived leave the positions as they are."""

import django.db.models.deletion
from django.db import migrations, models

BEFORE = """
CREATE OR REPLACE FUNCTION execution_fill_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
{gone}  RETURN NULL;
END $$;
"""
# The same as in 0015: what a set of fills takes away from both tables.
GONE = """
  INSERT INTO execution_position (broker, account, symbol, shares)
  SELECT f.broker, o.account, o.symbol,
         -sum(CASE o.side WHEN 'BUY' THEN f.quantity ELSE -f.quantity END)
    FROM changed f JOIN execution_order o ON o.id = f.order_id
   GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  ON CONFLICT (broker, account, symbol)
  DO UPDATE SET shares = execution_position.shares + EXCLUDED.shares;

  INSERT INTO execution_daytrade (broker, account, midnight, symbol, side, shares, money, fees)
  SELECT f.broker, o.account,
         date_trunc('day', f.executed_at AT TIME ZONE 'America/New_York')
           AT TIME ZONE 'America/New_York',
         o.symbol, o.side, -sum(f.quantity), -sum(f.quantity * f.price),
         -coalesce(sum(f.commission), 0)
    FROM changed f JOIN execution_order o ON o.id = f.order_id
   GROUP BY 1, 2, 3, 4, 5 ORDER BY 2, 3, 1, 4, 5
  ON CONFLICT (account, midnight, broker, symbol, side)
  DO UPDATE SET shares = execution_daytrade.shares + EXCLUDED.shares,
                money = execution_daytrade.money + EXCLUDED.money,
                fees = execution_daytrade.fees + EXCLUDED.fees;
"""
ARCHIVED = """
  IF current_setting('deepstack.archiving', true) = 'on' THEN
    INSERT INTO execution_archivedtrade (broker, account, midnight, symbol, side, shares, money, fees)
    SELECT f.broker, o.account,
           date_trunc('day', f.executed_at AT TIME ZONE 'America/New_York')
             AT TIME ZONE 'America/New_York',
           o.symbol, o.side, sum(f.quantity), sum(f.quantity * f.price),
           coalesce(sum(f.commission), 0)
      FROM changed f JOIN execution_order o ON o.id = f.order_id
     GROUP BY 1, 2, 3, 4, 5 ORDER BY 2, 3, 1, 4, 5
    ON CONFLICT (account, midnight, broker, symbol, side)
    DO UPDATE SET shares = execution_archivedtrade.shares + EXCLUDED.shares,
                  money = execution_archivedtrade.money + EXCLUDED.money,
                  fees = execution_archivedtrade.fees + EXCLUDED.fees;
    RETURN NULL;
  END IF;
"""

SIDES = [("BUY", "Buy"), ("SELL", "Sell")]


class Migration(migrations.Migration):
    dependencies = [("execution", "0035_basket")]

    operations = [
        migrations.CreateModel(
            name="Archive",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=64, unique=True)),
                ("manifest_sha256", models.CharField(max_length=64)),
                ("orders", models.PositiveIntegerField()),
                ("rows", models.PositiveIntegerField()),
                ("archived_at_real", models.DateTimeField(auto_now_add=True, verbose_name="archived at, real time")),
            ],
        ),
        migrations.CreateModel(
            name="ArchivedOrder",
            fields=[
                ("order", models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name="archived", serialize=False, to="execution.order")),
                ("archive", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="members", to="execution.archive")),
                ("broker", models.CharField(blank=True, max_length=16)),
            ],
        ),
        migrations.CreateModel(
            name="ArchivedTrade",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("broker", models.CharField(max_length=16)),
                ("account", models.CharField(max_length=32)),
                ("midnight", models.DateTimeField(help_text="the exchange's midnight at its beginning", verbose_name="day")),
                ("symbol", models.CharField(max_length=16)),
                ("side", models.CharField(choices=SIDES, max_length=4)),
                ("shares", models.BigIntegerField()),
                ("money", models.DecimalField(decimal_places=6, max_digits=30)),
                ("fees", models.DecimalField(decimal_places=6, max_digits=24)),
            ],
        ),
        migrations.AddConstraint(
            model_name="archivedtrade",
            constraint=models.UniqueConstraint(
                fields=("account", "midnight", "broker", "symbol", "side"), name="archived_trade_once"
            ),
        ),
        migrations.RunSQL(BEFORE.format(gone=ARCHIVED + GONE), BEFORE.format(gone=GONE)),
    ]
