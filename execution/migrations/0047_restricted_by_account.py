"""The restricted list of an account, beside that of everybody."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("execution", "0046_order_by_book")]

    operations = [
        migrations.AddField(
            model_name="restrictedsymbol",
            name="account",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="empty: of everybody",
                max_length=32,
            ),
        ),
        migrations.AlterField(
            model_name="restrictedsymbol",
            name="symbol",
            field=models.CharField(db_index=True, max_length=16),
        ),
        migrations.AddConstraint(
            model_name="restrictedsymbol",
            constraint=models.UniqueConstraint(
                fields=("symbol", "account"), name="restricted_symbol_once"
            ),
        ),
    ]
