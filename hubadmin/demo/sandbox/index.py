"""By which words and keys the records of a type are found, and by which at which time."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from threading import Lock

from hubadmin.demo.sandbox import portal
from hubadmin.demo.sandbox.generated import generate, generated_of_key
from hubadmin.demo.sandbox.people import people_ids
from hubadmin.demo.sandbox.properties import values_of, words_of_record

KEYS = ("email", "hs_additional_emails", "domain", "hs_additional_domains", "vin")
_END = "\U0010ffff"
_building = Lock()


class Index:
    """The records of one type by their words and keys; its owner sees to the threads."""

    def __init__(self, type_id: str, records: Iterable[dict[str, str]] = ()) -> None:
        self._type_id = type_id
        self.records: dict[str, dict[str, str]] = {}
        self._by_word: dict[str, list[str]] = {}
        self._by_key: dict[tuple[str, str], list[str]] = {}
        self._words: list[str] | None = None  # in order; None until it is asked for
        for record in records:
            self.put(record)

    def put(self, record: dict[str, str]) -> None:
        """Add a record, in the place of what was known of it."""
        record_id = record["hs_object_id"]
        self.drop(record_id)
        self.records[record_id] = record
        for word in words_of_record(self._type_id, record):
            if word not in self._by_word:
                self._by_word[word], self._words = [], None
            self._by_word[word].append(record_id)
        for key in _keys_of(record):
            self._by_key.setdefault(key, []).append(record_id)

    def drop(self, record_id: str) -> None:
        """Forget a record, if it is known."""
        record = self.records.pop(record_id, None)
        if record:
            for word in words_of_record(self._type_id, record):
                self._by_word[word].remove(record_id)
            for key in _keys_of(record):
                self._by_key[key].remove(record_id)

    def by_words(self, words: list[str]) -> set[str]:
        """Return the ids of those in which each of the words begins one."""
        found = [self._by_beginning(word) for word in sorted(words, key=len, reverse=True)]
        return set.intersection(*found) if found else set(self.records)

    def by_key(self, name: str, value: str) -> list[str]:
        """Return the ids of those with this value; case is of no account."""
        return self._by_key.get((name, value.lower()), [])

    def _by_beginning(self, start: str) -> set[str]:
        if self._words is None:
            self._words = sorted(self._by_word)
        first, end = (bisect_left(self._words, each) for each in (start, start + _END))
        return set().union(*(self._by_word[word] for word in self._words[first:end]))


def _keys_of(record: dict[str, str]) -> set[tuple[str, str]]:
    return {(name, value.lower()) for name in KEYS for value in values_of(record, name)}


class View:
    """A type's records as of some time: those of every portal, and what was changed since."""

    def __init__(self, type_id: str, hidden: set[str]) -> None:
        self._type_id = type_id
        self._own = Index(type_id)
        self._changed = set(hidden)  # of these the usual records tell nothing

    @cached_property
    def _usual(self) -> Index:
        # Not before somebody searches: it takes a moment.
        return _usual_index(self._type_id)

    def put(self, record_id: str, record: dict[str, str] | None) -> None:
        """Show a record as it is now; not at all where it is None."""
        self._changed.add(record_id)
        if record:
            self._own.put(record)
        else:
            self._own.drop(record_id)

    def record(self, record_id: str) -> dict[str, str]:
        """Return the properties of a record that was found."""
        for records in (self._own.records, self._usual.records):
            if record_id in records:
                return records[record_id]
        return generate(self._type_id, record_id)

    def by_words(self, words: list[str]) -> set[str]:
        """Return the ids of those in which each of the words begins one."""
        return (self._usual.by_words(words) - self._changed) | self._own.by_words(words)

    def by_key(self, name: str, value: str) -> Iterator[str]:
        """Yield the ids of those with this value, generated ones too."""
        usual = self._usual.by_key(name, value) + generated_of_key(self._type_id, value.lower())
        yield from (i for i in usual if i not in self._changed)
        yield from self._own.by_key(name, value)


def prepare() -> None:
    """Make at once what the first search of each type would wait for."""
    for type_id in people_ids():
        _usual_index(type_id)


def _usual_index(type_id: str) -> Index:
    with _building:
        return _build_index(type_id)


@cache
def _build_index(type_id: str) -> Index:
    return Index(type_id, portal.records_of_type(type_id))
