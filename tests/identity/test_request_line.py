"""Addresses as programs send them that do not escape what stands in them, to the real server."""

import socket
import unittest

from django.test import tag

from hubadmin.demo.sandbox import Sandbox
from tests.identity.server import Server

SETTINGS = {
    "SSO_MODE": "header",
    "SSO_ISSUER": "proxy",
    "SSO_HEADER_SECRET": "a-shared-secret-of-more-than-32-characters",
    "LOG_LEVEL": "DEBUG",
}
LINES = (
    "GET /?from=Kanaria+Zaunkönig HTTP/1.1",
    "GET /?from=Ada Kanaria HTTP/1.1",
    "GET /?from=Kanaria",
    "GET/?from=Kanaria / HTTP/1.1",
)


@tag("own_database")
class RequestLineTests(unittest.TestCase):
    def test_one_that_is_none_is_refused_and_not_logged(self) -> None:
        hubspot = self.enterContext(Sandbox())
        server = self.enterContext(Server(hubspot.url, **SETTINGS))
        for line in LINES:
            address = "127.0.0.1", server.port
            with self.subTest(line), socket.create_connection(address, 10) as connection:
                connection.sendall(f"{line}\r\nHost: localhost\r\n\r\n".encode())
                self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 400"))
        log = server.output_with("Invalid request from", len(LINES))
        self.assertEqual(log.count("Invalid request from"), len(LINES))
        self.assertNotIn("Kanaria", log)
