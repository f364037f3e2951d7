"""PostgreSQL and who asks it notice within seconds that the other's machine is gone."""

import socket
import unittest

from django.db import connection
from django.test import TestCase


@unittest.skipUnless(connection.vendor == "postgresql", "SQLite is on the same machine")
class LostMachineTests(TestCase):
    """What comes of it on a network: tests/faults/machines.py."""

    def setUp(self) -> None:
        connection.ensure_connection()
        if connection.connection.info.host.startswith("/"):
            self.skipTest("a socket in the file system leads to no other machine")

    def test_the_server_asks_who_is_silent_and_gives_up_soon(self) -> None:
        told = {}
        with connection.cursor() as cursor:
            for name in ("keepalives_idle", "keepalives_interval", "keepalives_count"):
                cursor.execute(f"SHOW tcp_{name}")
                told[name] = cursor.fetchone()[0]
            cursor.execute("SHOW tcp_user_timeout")
            (told["user_timeout"],) = cursor.fetchone()
        expected = {"keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3"}
        self.assertEqual(told, expected | {"user_timeout": "15000"})

    def test_so_does_this_end(self) -> None:
        with socket.socket(fileno=socket.dup(connection.connection.fileno())) as own:
            tcp = socket.IPPROTO_TCP
            self.assertEqual(own.getsockopt(tcp, socket.TCP_KEEPIDLE), 10)
            self.assertEqual(own.getsockopt(tcp, socket.TCP_USER_TIMEOUT), 15_000)
