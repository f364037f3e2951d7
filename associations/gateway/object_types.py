"""The object types to choose from, by the names that people see."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext

from associations.hubspot import object_types
from associations.hubspot.object_types import CATALOGUE, ObjectType, UnknownObjectTypeError

LONGEST = 1000  # characters of a name; of accents without end many more might take minutes


@dataclass(frozen=True, slots=True)
class TypeChoice:
    """A type on offer, under the label that this person sees."""

    object_type: ObjectType
    label: str
    is_enabled: bool = True

    @property
    def plural(self) -> str:
        return gettext(self.object_type.plural) if self.object_type.plural else self.label


class TypeChoices:
    """The types on offer, in the order given, each under a label that no other one has."""

    def __init__(self, choices: Iterable[TypeChoice]) -> None:
        choices = tuple(choices)
        self._by_id = {each.object_type.canonical: each.object_type for each in choices}
        self._by_name: dict[str, dict[str, ObjectType]] = defaultdict(dict)
        for choice in choices:
            self._understand(choice.object_type, *_names(choice))
        self._choices = tuple(self._under_its_own_label(each) for each in choices)
        self._labels = {each.object_type.canonical: each.label for each in self._choices}
        for choice in self._choices:
            self._understand(choice.object_type, choice.label)

    def __iter__(self) -> Iterator[TypeChoice]:
        return iter(self._choices)

    def resolve(self, text: str) -> ObjectType:
        """Return the type that `text` names: by id, label, plural, or any name HubSpot has for it.

        Raises UnknownObjectTypeError, with the labels of those it could be if they are several.
        """
        named = {} if object_types.is_exact(text.strip()) else self._named(text)
        if len(named) > 1:
            raise UnknownObjectTypeError(text.strip(), map(self.label_of, named))
        found = next(iter(named.values()), None) or object_types.resolve(text)
        return self._by_id.get(found.canonical, found)

    def label_of(self, canonical: str) -> str:
        """Return what people call a stored type; the stored form itself where it is not known."""
        return self._labels.get(canonical) or object_types.label_of(canonical)

    def _understand(self, object_type: ObjectType, *names: str) -> None:
        for name in filter(None, map(_folded, names)):
            self._by_name[name][object_type.canonical] = object_type

    def _named(self, text: str) -> dict[str, ObjectType]:
        """The types of that name; HubSpot's own go before a company's, which may have any name."""
        if len(text) > LONGEST:
            return {}
        named = self._by_name.get(_folded(text), {})
        return {key: named[key] for key in named if key in object_types.STANDARD} or named

    def _under_its_own_label(self, choice: TypeChoice) -> TypeChoice:
        canonical = choice.object_type.canonical
        is_exact = object_types.is_exact(choice.label.strip())
        if not is_exact and [*self._named(choice.label)] == [canonical]:
            return choice
        return replace(choice, label=f"{choice.label} ({canonical})".strip())


def standard_choices() -> TypeChoices:
    """Return HubSpot's own types, under their labels in the active language."""
    return TypeChoices(TypeChoice(each, gettext(each.label)) for each in CATALOGUE)


def _names(choice: TypeChoice) -> Iterator[str]:
    """What people may write for it: an address with a name in it may come from anybody."""
    object_type = choice.object_type
    yield from (choice.label, object_type.label, object_type.plural)
    if object_type.canonical in object_types.STANDARD:
        yield from _in_every_language(object_type.label, object_type.plural)


def _in_every_language(*texts: str) -> list[str]:
    names: list[str] = []
    for language, _ in settings.LANGUAGES:
        with translation.override(language):
            names += map(gettext, texts)
    return names


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split())).casefold()
