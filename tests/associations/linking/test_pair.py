"""How a pair is written wherever entries are listed."""

import re
from typing import Any

from django.utils.html import strip_tags

from associations.finding.names import Named
from associations.models import AssociationRequest
from associations.templatetags.cells import pair
from tests.associations.linking.base import PageTestCase, entry_of, named_entry_of


def written(entry: AssociationRequest, **context: Any) -> str:
    html = pair(entry, **context)
    return re.sub(r"\s+", " ", strip_tags(html)).strip()


class PairTests(PageTestCase):
    def test_names_come_first_and_a_label_alone_where_there_is_none(self) -> None:
        for names, told in (
            (("Ada Byron", "Analytical Ltd"), "Ada Byron Contact 501 → Analytical Ltd Company 902"),
            (("Ada Byron", ""), "Ada Byron Contact 501 → Company 902"),
            (("", ""), "Contact 501 → Company 902"),
        ):
            self.assertEqual(written(named_entry_of(self.user, *names)), told)
        self.assertEqual(written(entry_of(self.user)), "Contact 501 → Company 902")

    def test_what_was_looked_up_for_the_list_counts_as_well(self) -> None:
        entry = entry_of(self.user)
        told = written(entry, named=Named(entry, "Ada Byron", "Analytical Ltd"), plain=True)
        self.assertEqual(told, "Ada Byron → Analytical Ltd")

    def test_a_foreign_name_is_escaped_once_and_kept_apart(self) -> None:
        entry = named_entry_of(self.user, "<b>A & B</b>\u202e", "C")
        html = pair(entry)
        self.assertIn("<bdi>&lt;b&gt;A &amp; B&lt;/b&gt;⟨U+202E⟩</bdi>", html)
