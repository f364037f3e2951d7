from django.apps import AppConfig


class HubadminConfig(AppConfig):
    name = "hubadmin"

    def ready(self) -> None:
        # Importing registers them.
        from hubadmin import checks  # noqa: F401
        from hubadmin.logging import unread
        from hubadmin.sso import checks as sso_checks  # noqa: F401
        from hubadmin.web import readiness

        readiness.WARNINGS["log_lines"] = unread
