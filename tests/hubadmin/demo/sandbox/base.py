"""What the sandbox's tests share."""

import json
import re
import socket
import time
import unittest

import requests

from hubadmin.demo.sandbox import SANDBOX_TOKEN, Sandbox

BEARER = {"Authorization": f"Bearer {SANDBOX_TOKEN}"}
PATH = "/crm/v4/objects/contacts/501/associations/default/companies/902"
LINK = {("contacts", "501", "companies", "902"), ("companies", "902", "contacts", "501")}
# Every address that is read: method, path, body, and the scopes that it needs.
_PAIR_SCOPES = ("crm.objects.contacts.read", "crm.objects.companies.read")
READS = [
    ("GET", "/crm/v3/objects/contacts/501", None, _PAIR_SCOPES[:1]),
    ("GET", "/crm/v3/objects/2-4001", None, ("crm.objects.custom.read",)),
    ("POST", "/crm/v3/objects/deals/batch/read", {"inputs": []}, ("crm.objects.deals.read",)),
    (
        "POST",
        "/crm/v4/associations/contacts/companies/batch/read",
        {"inputs": []},
        _PAIR_SCOPES,
    ),
    ("GET", "/crm/v4/associations/contacts/companies/labels", None, _PAIR_SCOPES),
    (
        "GET",
        "/crm/v4/associations/definitions/configurations/contacts/companies",
        None,
        _PAIR_SCOPES,
    ),
    ("POST", "/crm/v3/objects/contacts/search", {}, _PAIR_SCOPES[:1]),
    ("GET", "/crm/v3/properties/deals", None, ("crm.objects.deals.read",)),
    ("GET", "/crm-object-schemas/v3/schemas", None, ("crm.schemas.custom.read",)),
    ("GET", "/crm/v3/object-library/enablement", None, ()),
    ("GET", "/account-info/v3/details", None, ()),
    ("GET", "/account-info/v3/api-usage/daily/private-apps", None, ()),
    (
        "POST",
        "/oauth/v2/private-apps/get/access-token-info",
        {"tokenKey": SANDBOX_TOKEN},
        (),
    ),
]
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def pair_path(from_type, from_id, to_type, to_id):
    return f"/crm/v4/objects/{from_type}/{from_id}/associations/default/{to_type}/{to_id}"


def raw_request(method="PUT", path=PATH, headers=BEARER):
    lines = [f"{method} {path} HTTP/1.1", "Host: sandbox"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def read_all(connection):
    return b"".join(iter(lambda: connection.recv(65536), b""))


def eventually(condition, seconds=2.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


class SandboxCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sandbox = cls.enterClassContext(Sandbox())

    def setUp(self):
        self.sandbox.reset()

    def call(self, method="PUT", path=PATH, headers=BEARER, **kwargs):
        url = self.sandbox.url + path
        return requests.request(method, url, headers=headers, timeout=5, **kwargs)

    def put(self, *ends, **kwargs):
        return self.call(path=pair_path(*ends), **kwargs)

    def send(self, data):
        connection = socket.create_connection(("127.0.0.1", self.sandbox.port), timeout=5)
        self.addCleanup(connection.close)
        connection.sendall(data)
        return connection

    def exchange(self, path):
        """Return status and body for a path sent as it is, which no HTTP library does."""
        head, _, body = self.send(raw_request(path=path)).recv(65536).partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)

    def assert_error(self, answer, status, message, category=None):
        body = answer.json()
        self.assertEqual((answer.status_code, body["status"]), (status, "error"))
        self.assertIn(message, body["message"])
        self.assertEqual(body.get("category"), category)
        self.assertEqual(answer.headers["X-HubSpot-Correlation-Id"], body["correlationId"])
        return body
