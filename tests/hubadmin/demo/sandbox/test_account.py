"""The sandbox's account: its object types, details and calls, and what its tokens may do."""

import json
from datetime import UTC, datetime
from unittest import mock

import requests

from hubadmin.demo.sandbox import SANDBOX_TOKEN, Sandbox
from tests.hubadmin.demo.sandbox.base import BEARER, PATH, READS, TIMESTAMP, SandboxCase

TOKEN_INFO = "/oauth/v2/private-apps/get/access-token-info"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


class TypeTests(SandboxCase):
    def test_schemas(self):
        results = self.call("GET", "/crm-object-schemas/v3/schemas").json()["results"]
        names = [
            (s["objectTypeId"], s["name"], s["fullyQualifiedName"], s["primaryDisplayProperty"])
            for s in results
        ]
        self.assertEqual(names[0], ("2-4001", "car", "p4242_car", "name"))
        viewing = ("2-4002", "property_viewing", "p4242_property_viewing", "address")
        self.assertEqual(names[1:], [viewing])
        labels = [tuple(schema["labels"].values()) for schema in results]
        self.assertEqual(labels, [("Car", "Cars"), ("Property viewing", "Property viewings")])

    def test_associations_of_a_schema(self):
        _, viewing = self.call("GET", "/crm-object-schemas/v3/schemas").json()["results"]
        ends = {(a["fromObjectTypeId"], a["toObjectTypeId"]) for a in viewing["associations"]}
        self.assertEqual(ends, {("0-1", "2-4002"), ("2-4002", "0-1")})

    def test_custom_records_are_associated_with_contacts_alone(self):
        self.assertEqual(self.put("2-4002", "71", "contacts", "501").status_code, 200)
        self.assertEqual(self.put("2-4002", "71", "companies", "901").status_code, 400)

    def test_types_in_use(self):
        body = self.call("GET", "/crm/v3/object-library/enablement").json()
        in_use = body["enablementByObjectTypeId"]
        self.assertEqual(list(body), ["enablementByObjectTypeId"])
        self.assertEqual({t for t, on in in_use.items() if on}, {"0-136", "0-162", "0-421"})
        self.assertEqual({t for t, on in in_use.items() if not on}, {"0-410", "0-420", "0-970"})


class TwinTests(SandboxCase):
    """The same under a date, in the place where HubSpot has it."""

    PATHS = {
        "/crm-object-schemas/{}/schemas": "/crm-object-schemas/v3/schemas",
        "/crm/object-library/{}/enablement": "/crm/v3/object-library/enablement",
        "/crm/properties/{}/contacts": "/crm/v3/properties/contacts",
        "/account-info/{}/details": "/account-info/v3/details",
        "/account-info/{}/api-usage/daily/private-apps": (
            "/account-info/v3/api-usage/daily/private-apps"
        ),
    }

    def test_each_says_what_the_older_one_says(self):
        for path, older in self.PATHS.items():
            for version in ("2026-03", "2026-09"):
                with self.subTest(path, version=version):
                    answer = self.call("GET", path.format(version))
                    self.assertEqual(answer.status_code, 200)
                    self.assertEqual(set(answer.json()), set(self.call("GET", older).json()))
            self.assertEqual(self.call("GET", path.format("2026-06")).status_code, 404)

    def test_a_portal_of_one_version_has_no_paths_of_another(self):
        with Sandbox(version="2026-09") as sandbox:
            for path, older in self.PATHS.items():
                for tried in (path.format("2026-09"), path.format("2026-03"), older):
                    answer = requests.get(sandbox.url + tried, headers=BEARER, timeout=5)
                    self.assertEqual(answer.status_code == 200, "2026-09" in tried, tried)
            body = {"tokenKey": SANDBOX_TOKEN}
            answer = requests.post(sandbox.url + TOKEN_INFO, json=body, timeout=5)
            self.assertEqual(answer.status_code, 200)


class AccountTests(SandboxCase):
    def at(self, *moment):
        clock = self.enterContext(mock.patch("hubadmin.demo.sandbox.account.datetime"))
        clock.now.side_effect = datetime(*moment, tzinfo=UTC).astimezone
        clock.combine = datetime.combine

    def usage(self):
        answer = self.call("GET", "/account-info/v3/api-usage/daily/private-apps")
        (usage,) = answer.json()["results"]
        return answer, usage

    def test_details(self):
        details = self.call("GET", "/account-info/v3/details").json()
        self.assertEqual((details["portalId"], details["timeZone"]), (4242, "Europe/Berlin"))
        self.assertEqual(details["uiDomain"], self.sandbox.url.removeprefix("http://"))
        told = {"accountType", "dataHostingLocation", "companyCurrency"}
        self.assertTrue(all(isinstance(details[name], str) and details[name] for name in told))

    def test_offset_in_summer_and_winter(self):
        for month, hours in ((7, 2), (1, 1)):
            self.at(2026, month, 1)
            details = self.call("GET", "/account-info/v3/details").json()
            offset = (details["utcOffset"], details["utcOffsetMilliseconds"])
            self.assertEqual(offset, (f"+0{hours}:00", hours * 3_600_000))

    def test_usage_agrees_with_the_headers(self):
        self.call()
        self.call()
        answer, usage = self.usage()
        limit, used = usage["usageLimit"], usage["currentUsage"]
        self.assertEqual((limit, used), (625_000, 3))
        self.assertEqual(answer.headers["X-HubSpot-RateLimit-Daily"], str(limit))
        self.assertEqual(answer.headers["X-HubSpot-RateLimit-Daily-Remaining"], str(limit - used))
        told = (usage["name"], usage["fetchStatus"])
        self.assertEqual(told, ("private-apps-api-calls-daily", "SUCCESS"))
        self.assertRegex(usage["collectedAt"], TIMESTAMP)
        self.sandbox.reset()
        self.assertEqual(self.usage()[1]["currentUsage"], 1)

    def test_resets_at_midnight_in_berlin(self):
        for moment, midnight in {
            (2026, 7, 1, 21, 59): "2026-07-01T22:00:00.000Z",
            (2026, 7, 1, 22, 0): "2026-07-02T22:00:00.000Z",
            (2026, 10, 24, 23, 0): "2026-10-25T23:00:00.000Z",  # the night the clocks go back
        }.items():
            self.at(*moment)
            self.assertEqual(self.usage()[1]["resetsAt"], midnight)


class TokenTests(SandboxCase):
    def describe(self, token, **kwargs):
        return self.call("POST", TOKEN_INFO, {}, json={"tokenKey": token}, **kwargs)

    def test_scopes_of_each_token(self):
        body = self.describe("sandbox").json()
        self.assertEqual(set(body), {"userId", "hubId", "appId", "scopes"})
        self.assertEqual(body["hubId"], 4242)
        every = set(body["scopes"])
        self.assertEqual(len(every), len(body["scopes"]))
        for name in ("contacts", "companies", "custom", "line_items"):
            self.assertLessEqual({f"crm.objects.{name}.{a}" for a in ("read", "write")}, every)
        self.assertIn("crm.schemas.custom.read", every)
        self.assertEqual(self.describe("sandbox-no-scopes").json()["scopes"], [])
        writes = {scope for scope in every if scope.endswith(".write")}
        self.assertEqual(set(self.describe("sandbox-no-read").json()["scopes"]), writes)

    def test_unknown_token_is_not_repeated(self):
        body = self.assert_error(self.describe("pat-na1-x"), 404, "token", "OBJECT_NOT_FOUND")
        self.assertNotIn("pat-na1-x", json.dumps(body))

    def test_bodies_that_make_no_sense(self):
        for body in ({}, [], {"tokenKey": 7}, {"tokenKey": ["sandbox"]}):
            answer = self.call("POST", TOKEN_INFO, {}, json=body)
            self.assert_error(answer, 400, "", "VALIDATION_ERROR")

    def test_the_body_is_not_recorded(self):
        self.describe("pat-na1-canary")
        (recorded,) = self.sandbox.requests
        self.assertEqual((recorded["path"], recorded["status"]), (TOKEN_INFO, 404))
        listed = self.call("GET", "/_sandbox/requests", {}).text
        self.assertNotIn("pat-na1-canary", json.dumps(recorded) + listed)

    def test_every_read_but_the_tokens_own_needs_one(self):
        for method, path, body, _ in READS:
            answer = self.call(method, path, {}, json=body)
            if path == TOKEN_INFO:
                self.assertEqual(answer.status_code, 200)
            else:
                self.assert_error(answer, 401, "credentials", "INVALID_AUTHENTICATION")

    def test_scopes_that_reads_need(self):
        for token in ("sandbox-no-read", "sandbox-no-scopes"):
            for method, path, body, scopes in READS:
                answer = self.call(method, path, bearer(token), json=body)
                if scopes:
                    told = self.assert_error(answer, 403, "required scopes", "MISSING_SCOPES")
                    self.assertEqual(told["context"]["missingScopes"], list(scopes), path)
                else:
                    self.assertEqual(answer.status_code, 200, path)

    def test_who_may_not_read_may_write(self):
        answer = self.call(path=PATH, headers=bearer("sandbox-no-read"))
        self.assertEqual(answer.json()["status"], "COMPLETE")

    def test_reads_only_by_their_method(self):
        for method, path, *_ in READS:
            answer = self.call("DELETE", path, BEARER)
            self.assert_error(answer, 405, "DELETE")
            self.assertIn(method, answer.headers["Allow"].split(", "))
