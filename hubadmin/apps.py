from django.apps import AppConfig


class HubadminConfig(AppConfig):
    name = "hubadmin"

    def ready(self) -> None:
        from . import checks  # noqa: F401 - registers them
