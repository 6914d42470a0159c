"""An order, its slices and their fills, with what is needed to count them and no more."""

from django.db import models


class Parent(models.Model):
    filled = models.BigIntegerField(default=0)
    notional = models.DecimalField(max_digits=24, decimal_places=6, default=0)


class Child(models.Model):
    parent = models.ForeignKey(Parent, on_delete=models.CASCADE)
    quantity = models.BigIntegerField()
    due_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    status = models.CharField(max_length=8, default="PLANNED")

    class Meta:
        indexes = [models.Index(fields=["status", "due_at"], name="yardstick_due")]


class Execution(models.Model):
    child = models.ForeignKey(Child, on_delete=models.CASCADE)
    execution_id = models.CharField(max_length=40, unique=True)
    quantity = models.BigIntegerField()
    price = models.DecimalField(max_digits=18, decimal_places=6)
    executed_at = models.DateTimeField()
