from django.apps import AppConfig


class ExecutionConfig(AppConfig):
    name = "execution"

    def ready(self) -> None:
        from deepstack.web import login_throttle, session_limits
        from execution import checks  # noqa: F401
        from execution.sending import dispatch_hooks

        login_throttle.listen()
        session_limits.listen()
        dispatch_hooks.register("execution.listeners.trading_status.run")
