"""hubadmin: link two HubSpot records, and keep a record of it that admins can trust."""

__version__ = "0.8.0"
