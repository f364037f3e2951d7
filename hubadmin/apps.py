from django.apps import AppConfig


class HubadminConfig(AppConfig):
    name = "hubadmin"

    def ready(self) -> None:
        from . import checks  # noqa: F401 - registers them
        from .sso import checks as sso_checks  # noqa: F401
