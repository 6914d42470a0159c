"""Positions and the day's trades, kept by triggers on the fills."""

from django.db import migrations, models

# What a set of fills adds to both tables; {sign} is + for rows that appear, - for rows that go.
# Rows are taken in the order of their keys, so that two bookings cannot wait for each other.
ADD = """
  INSERT INTO execution_position (broker, account, symbol, shares)
  SELECT f.broker, o.account, o.symbol,
         {sign}sum(CASE o.side WHEN 'BUY' THEN f.quantity ELSE -f.quantity END)
    FROM changed f JOIN execution_order o ON o.id = f.order_id
   GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  ON CONFLICT (broker, account, symbol)
  DO UPDATE SET shares = execution_position.shares + EXCLUDED.shares;

  INSERT INTO execution_daytrade (broker, account, midnight, symbol, side, shares, money, fees)
  SELECT f.broker, o.account,
         date_trunc('day', f.executed_at AT TIME ZONE 'America/New_York')
           AT TIME ZONE 'America/New_York',
         o.symbol, o.side, {sign}sum(f.quantity), {sign}sum(f.quantity * f.price),
         {sign}coalesce(sum(f.commission), 0)
    FROM changed f JOIN execution_order o ON o.id = f.order_id
   GROUP BY 1, 2, 3, 4, 5 ORDER BY 2, 3, 1, 4, 5
  ON CONFLICT (account, midnight, broker, symbol, side)
  DO UPDATE SET shares = execution_daytrade.shares + EXCLUDED.shares,
                money = execution_daytrade.money + EXCLUDED.money,
                fees = execution_daytrade.fees + EXCLUDED.fees;
"""
APPEARED, GONE = ADD.format(sign="+"), ADD.format(sign="-")


def function(name: str, body: str) -> str:
    return f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n{body}  RETURN NULL;\nEND $$;\n"


def trigger(name: str, event: str, tables: str, body: str) -> str:
    return function(name, body) + (
        f"CREATE TRIGGER {name} AFTER {event} ON execution_fill\n"
        f"  REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION {name}();\n"
    )


# A statement has one set of old and one of new rows; `changed` names the set that is added.
OLD_AND_NEW = GONE.replace("FROM changed f", "FROM before f") + APPEARED.replace(
    "FROM changed f", "FROM after f"
)
TRIGGERS = (
    trigger("execution_fill_booked", "INSERT", "NEW TABLE AS changed", APPEARED)
    + trigger(
        "execution_fill_corrected",
        "UPDATE",
        "OLD TABLE AS before NEW TABLE AS after",
        OLD_AND_NEW,
    )
    + trigger("execution_fill_removed", "DELETE", "OLD TABLE AS changed", GONE)
)
NAMES = ("execution_fill_booked", "execution_fill_corrected", "execution_fill_removed")
DROP = "".join(
    f"DROP TRIGGER {name} ON execution_fill; DROP FUNCTION {name}();\n" for name in NAMES
)
# What was booked before; nobody books while a migration holds the table.
BACKFILL = "LOCK TABLE execution_fill IN SHARE ROW EXCLUSIVE MODE;\n" + APPEARED.replace(
    "FROM changed f", "FROM execution_fill f"
)

SIDES = [("BUY", "Buy"), ("SELL", "Sell")]


class Migration(migrations.Migration):
    dependencies = [("execution", "0014_special_days")]

    operations = [
        migrations.CreateModel(
            name="Position",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("broker", models.CharField(max_length=16)),
                ("account", models.CharField(max_length=32)),
                ("symbol", models.CharField(max_length=16)),
                ("shares", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="DayTrade",
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
            model_name="position",
            constraint=models.UniqueConstraint(fields=("broker", "account", "symbol"), name="position_once"),
        ),
        migrations.AddConstraint(
            model_name="daytrade",
            constraint=models.UniqueConstraint(
                fields=("account", "midnight", "broker", "symbol", "side"), name="day_trade_once"
            ),
        ),
        migrations.RunSQL(BACKFILL, migrations.RunSQL.noop),
        migrations.RunSQL(TRIGGERS, DROP),
    ]
