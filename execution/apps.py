from django.apps import AppConfig


class ExecutionConfig(AppConfig):
    name = "execution"

    def ready(self) -> None:
        from deepstack import logins
        from execution import checks  # noqa: F401

        logins.listen()
