"""The sandbox's own addresses: its controls under /_sandbox/ and its pages for people."""

import json
import re

from hubadmin.demo.sandbox import Sandbox
from tests.hubadmin.demo.sandbox.base import BEARER, LINK, PATH, TIMESTAMP, SandboxCase


class ControlTests(SandboxCase):
    def get(self, name):
        return self.call("GET", f"/_sandbox/{name}", {})

    def post_faults(self, **kwargs):
        return self.call("POST", "/_sandbox/faults", {}, **kwargs)

    def test_posting_and_listing_faults(self):
        one, two = {"status": 500, "times": 2}, {"delay": 0.01, "path": "x"}
        listed = [one, {**two, "times": 1}]
        self.assertEqual(self.post_faults(json=one).json(), listed[:1])
        self.assertEqual(self.post_faults(json=[two]).json(), listed)
        self.call()
        listed[0] = {**one, "times": 1}
        self.assertEqual(self.get("faults").json(), listed)

    def test_bodies_that_are_no_faults(self):
        for body, message in {
            "{": "not JSON",
            "": "not JSON",
            b"\xff": "not JSON",
            "7": "A fault is a JSON object.",
            "[[]]": "A fault is a JSON object.",
            '[{}, {"delay": NaN}]': "“delay” must be a number of seconds",
        }.items():
            self.assert_error(self.post_faults(data=body), 400, message)
        self.assertEqual(self.get("faults").json(), [])

    def test_requests_are_listed_with_the_token_redacted(self):
        self.call(headers={**BEARER, "X-Trace": "7"})
        self.call("GET", "/nowhere?a=b", headers={"authorization": "Basic secret"})
        first, second = listed = self.get("requests").json()
        self.assertEqual(listed, self.sandbox.requests)
        self.assertRegex(first.pop("received_at"), TIMESTAMP)
        headers = first.pop("headers")
        self.assertEqual(headers["Authorization"], "Bearer [redacted]")
        self.assertEqual(headers["X-Trace"], "7")
        self.assertEqual(first, {"method": "PUT", "path": PATH, "status": 200})
        self.assertEqual((second["path"], second["status"]), ("/nowhere?a=b", 404))
        self.assertNotIn("secret", json.dumps(second))

    def test_raw_paths_are_recorded_as_received_and_only_the_newest_kept(self):
        paths = {
            "/nowhere": 404,
            "/crm/v4/objects/contacts/../associations/default/companies/902": 400,
            "/crm/v4/objects/contacts/501/../501/associations/default/companies/902": 404,
            "//crm/v4/objects": 404,
            "/_sandbox/../crm": 404,
        }
        with Sandbox(keep_requests=4) as self.sandbox:
            for path, status in paths.items():
                self.assertEqual(self.exchange(path)[0], status)
            recorded = [entry["path"] for entry in self.sandbox.requests]
        self.assertEqual(recorded, list(paths)[1:])

    def test_associations_and_reset(self):
        self.call()
        self.sandbox.fault(status=500)
        names = ("from_type", "from_id", "to_type", "to_id")
        listed = [dict(zip(names, link, strict=True)) for link in sorted(LINK)]
        self.sandbox.associations.clear()  # a copy
        self.assertEqual(self.get("associations").json(), listed)
        self.assertEqual(self.call("POST", "/_sandbox/reset", {}).status_code, 204)
        for name in ("faults", "requests", "associations"):
            self.assertEqual(self.get(name).json(), [])


class PageTests(SandboxCase):
    def page(self, path):
        answer = self.call("GET", path, headers={})
        self.assertEqual(answer.status_code, 200)
        self.assertIn("text/html", answer.headers["Content-Type"])
        self.assertIn("HubSpot sandbox</a></h1>", answer.text)
        return answer.text

    def test_index_leads_to_every_record(self):
        page = self.page("/")
        for text in ("<h3>Cars</h3>", ">Company 903: Byron &amp; Daughters<", ">Car 41: Van Alpha"):
            self.assertIn(text, page)
        links = re.findall(r'<li><a href="(/contacts/[^"]+)"', page)
        self.assertEqual(len(links), 65)
        self.assertIn("<dd>Byron &amp; Daughters</dd>", "".join(map(self.page, links)))

    def test_record_with_its_associations(self):
        path = "/contacts/4242/record/0-1/501"
        self.assertIn("None yet.", self.page(path))
        self.call()
        page = self.page(path + "?eschref=%2Fcontacts")
        self.assertIn("ada@example.com", page)
        link = '<a href="/contacts/4242/record/0-2/902">Company 902: Analytical Ltd</a>'
        self.assertIn(link, page)
        self.assertIn("Contact 501: Ada Byron", self.page("/contacts/4242/record/0-2/902"))

    def test_absent_records(self):
        for tail in ("4242/record/0-1/1", "1/record/0-1/501", "4242/record/foo/501"):
            answer = self.call("GET", f"/contacts/{tail}", headers={})
            self.assert_error(answer, 404, "no such record")
