"""Whatever is typed: nothing is raised, and nothing of it comes near a path of HubSpot's."""

import random
import re
from unittest import mock

from django.test import override_settings, tag

from associations.finding.finder import MOST_HITS, Why
from associations.gateway import rate_limiter
from associations.hubspot.client import Limits
from tests.associations.finding.test_finder import FinderTestCase

COUNT = 1000
PATH = re.compile(
    r"/crm/v3/objects/([a-z]+|0-[0-9]+|2-[0-9]+|p[0-9]*_\w+)/(search|batch/read(\?archived=true)?)"
    r"|/crm/v3/properties/(2-[0-9]+|p[0-9]*_\w+)",
    re.ASCII,
)
PIECES = [
    *(
        "501",
        "902",
        "0",
        "٣",
        "\u200b",
        "\u202e",
        "\0",
        "\ud800",
        "\U0001f600",
        "林",
        "é",
        "\u0130",
    ),
    *(
        "@",
        ".",
        "/",
        "//",
        ":",
        "\uff1a",
        "#",
        "?",
        "%2f",
        "..",
        "\\",
        "<",
        ">",
        '"',
        "'",
        ";",
        ",",
    ),
    *(
        " ",
        "\u3000",
        "\n",
        "\t",
        "-",
        "+",
        "(",
        ")",
        "_",
        "*",
        "&",
        "{",
        "}",
        "{0}",
        "%s",
        "$",
        "`",
    ),
    *("contact", "company", "car", "0-1", "2-4001", "2-9", "p_x", "ada", "example", "com", "gmail"),
    *("https://", "app.hubspot.com", "contacts/4242/record/0-1/", "www.", "mailto:", "xn--", "e5"),
    *(
        "a" * 70,
        "9" * 25,
        "ada@example.com",
        "analytical.example",
        "+44 20 7946 0018",
        "1.5",
        "1,234",
    ),
]
TYPES = ("contact", "company", "2-4001", "ticket", "2-9", "p_x")


@override_settings(HUBSPOT_SEARCHES_PER_SECOND=0, FINDS_PER_PERSON_PER_HOUR=0)
@tag("one_database")
class OddTextTests(FinderTestCase):
    sandbox_search_limit = 0
    limits = Limits(connect=2, read=5, total=10)  # a busy machine is not what this is about

    def test_nothing_is_raised_and_no_path_carries_any_of_it(self) -> None:
        for window in ("FIND_WINDOW", "LOOK_WINDOW"):
            self.enterContext(mock.patch.object(rate_limiter, window, 0.001))
        chance = random.Random(16)
        found = []
        for number in range(COUNT):
            text = "".join(chance.choices(PIECES, k=chance.randint(1, 6)))
            options = {}
            if chance.random() < 0.4:
                options["narrowed"] = chance.choice(TYPES)
            with self.subTest(number, text=text, **options):
                found.append(self.find(text, chance.choice(("from", "to")), **options))
                self.assertTrue(found[-1].chosen or found[-1].why)
                self.assertLessEqual(len(found[-1].hits), MOST_HITS)
                self.assertNotEqual(found[-1].why, Why.TOO_MANY_FINDS)
        paths = {request["path"] for request in self.sandbox.requests}
        self.assertEqual([path for path in paths if not PATH.fullmatch(path)], [])
        self.assertGreater(len(paths), 10)
        self.assertGreater(len({each.why for each in found}), 12, "texts of all kinds")
