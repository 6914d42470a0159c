from django.apps import AppConfig


class ExecutionConfig(AppConfig):
    name = "execution"

    def ready(self) -> None:
        from deepstack.web import login_throttle, session_limits
        from execution import checks  # noqa: F401

        login_throttle.listen()
        session_limits.listen()
