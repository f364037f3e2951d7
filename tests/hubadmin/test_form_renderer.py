"""Inputs and text areas are those that Django's own templates make."""

from typing import Any

from django import forms
from django.forms.renderers import DjangoTemplates
from django.test import SimpleTestCase, tag
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st

from hubadmin.web.form_renderer import FormRenderer
from tests.generated import ANY_TEXT, examples

ODD = "<script>alert('x')</script> & \""
WIDGETS = (
    *(forms.TextInput, forms.HiddenInput, forms.NumberInput, forms.DateInput, forms.FileInput),
    *(forms.Textarea, forms.CheckboxInput, forms.Select, forms.EmailInput),
)
VALUES: st.SearchStrategy[Any] = st.one_of(
    ANY_TEXT, ANY_TEXT.map(SafeString), st.booleans(), st.none(), st.integers(0, 10**6)
)


@tag("one_database")
class FormRendererTests(SimpleTestCase):
    def assert_as_djangos(self, widget: forms.Widget, *told: Any) -> None:
        expected = widget.render(*told, renderer=DjangoTemplates())
        self.assertEqual(widget.render(*told, renderer=FormRenderer()), expected)

    def test_what_is_usual(self) -> None:
        attrs = {"id": "id_x", "autofocus": True, "required": False, "aria-label": ODD}
        attrs |= {"placeholder": gettext_lazy("Reason"), "rows": 3, "title": None}
        for kind in WIDGETS:
            for value in ("", None, ODD, SafeString("<b>"), 4711, gettext_lazy("Reason")):
                self.assert_as_djangos(kind(), f"n{ODD}", value, attrs)

    def test_nothing_gets_out_of_an_attribute(self) -> None:
        made = forms.TextInput().render("x", ODD, {"title": ODD}, renderer=FormRenderer())
        told = "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &quot;"
        self.assertEqual(made, f'<input type="text" name="x" value="{told}" title="{told}">')

    @examples(100)
    @given(st.sampled_from(WIDGETS), VALUES, st.dictionaries(ANY_TEXT, VALUES, max_size=4))
    def test_whatever_they_are_given(self, kind: Any, value: Any, attrs: dict[str, Any]) -> None:
        self.assert_as_djangos(kind(), "name", value, attrs)
