from django.apps import AppConfig


class ExecutionConfig(AppConfig):
    name = "execution"

    def ready(self) -> None:
        from deepstack.web import login_throttle
        from execution import checks  # noqa: F401

        login_throttle.listen()
