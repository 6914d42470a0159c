from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"

    def ready(self) -> None:
        from execution.sending import dispatch_hooks
        from monitoring import checks  # noqa: F401

        dispatch_hooks.register("monitoring.alerting.standby.run")
