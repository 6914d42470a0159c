from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"

    def ready(self) -> None:
        from execution import beside
        from monitoring import standby

        beside.register(standby.run)
