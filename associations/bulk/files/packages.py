"""What a workbook is packed into: a zip of XML parts, which others may have made to do harm.

Nothing is unpacked before the zip's directory was looked at, and nothing is ever unpacked to disk
or as a whole. Whatever is wrong with it is a FileError.
"""

import posixpath
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO, NamedTuple
from xml.etree.ElementTree import Element, ParseError
from xml.parsers import expat  # hardened below
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from defusedxml import DTDForbidden
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from associations.bulk.files.errors import OFFICE_PARTS, FileError, FileReason

MIB = 1024 * 1024
MAX_PARTS = 10_000
MAX_DIRECTORY = 4 * MIB  # bytes; Python reads all of it at once, some 90 for each part
MAX_UNPACKED = 256 * MIB  # of all parts together; 100,000 rows of 50 cells are some 180
# Rows of a sheet repeat each other, and come to 10 or 20; zip bombs to 1,000. A part of less
# than FREE does no harm, whatever it is packed to.
MAX_RATIO = 250
FREE = MIB
MAX_SMALL = 2 * MIB  # bytes of a part that is read at once: what hangs on what, names of sheets
MAX_DEPTH = 50  # of elements in elements
MAX_ELEMENTS = 12_000_000  # until the rows can be read: a quarter of a minute at worst
MAX_TEXT = 32_767  # characters; Excel takes no more in a cell
MAX_TOKEN = MIB  # bytes of a tag or a comment, which the parser keeps as a whole
_PIECE = 64 * 1024
_HEAD = 4096
_TAIL = 128 * 1024  # where the directory's own end is looked for

_OLE_ENTRY = 128  # bytes of each in an OLE file's directory, which begins with its name
_OLE_KINDS = {
    "EncryptedPackage": FileReason.ENCRYPTED_WORKBOOK,
    "Workbook": FileReason.OLD_WORKBOOK,
    "Book": FileReason.OLD_WORKBOOK,
}


def spooled(parts: Iterable[bytes], limit: int) -> IO[bytes]:
    """Return the file on disk, where it has no name and goes when it is closed."""
    file, size = TemporaryFile(), 0  # noqa: SIM115 - whoever asked for it reads on, and closes it
    for part in parts:
        size += len(part)
        if size > limit:
            file.close()
            raise FileError(FileReason.TOO_LARGE, limit=-(-limit // MIB))
        file.write(part)
    file.seek(0)
    return file


def ole_kind(file: IO[bytes]) -> FileReason:
    """Return what an OLE file is: an old workbook, one with a password, or something else."""
    found = set()
    while data := file.read(_PIECE):  # whole entries of a directory, wherever it stands
        for name, kind in _OLE_KINDS.items():
            start = re.escape(name.encode("utf-16-le") + b"\0\0")
            if any(each.start() % _OLE_ENTRY == 0 for each in re.finditer(start, data)):
                found.add(kind)
    return next((kind for kind in _OLE_KINDS.values() if kind in found), FileReason.WORKBOOK)


@contextmanager
def _damage_told() -> Iterator[None]:
    """Tell what zlib, zipfile and the parsers say of what is damaged as one and the same."""
    try:
        yield
    except DefusedXmlException:
        raise FileError(FileReason.UNSAFE_WORKBOOK) from None
    except (
        *(BadZipFile, zlib.error, expat.ExpatError, ParseError),
        *(EOFError, OSError, NotImplementedError, RuntimeError),
        *(ValueError, LookupError, OverflowError),
    ):
        raise FileError(FileReason.DAMAGED_WORKBOOK) from None


class _Bounded:
    """The file for ZipFile, which would read a directory of any size at once."""

    def __init__(self, file: IO[bytes]) -> None:
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self._read, self.mode = file.read, "rb"

    def read(self, size: int = -1) -> bytes:
        if size > MAX_DIRECTORY:
            raise FileError(FileReason.TOO_MANY_PARTS, limit=MAX_PARTS)
        return self._read(size if size >= 0 else _TAIL)


class Relation(NamedTuple):
    """What one part says of another: the last word of its kind, and the name of the part."""

    kind: str
    target: str


class Package:
    """The parts of a zip, of which the directory promises that they may be read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = _opened(file)
        infos = self._zip.infolist()
        self._left = MAX_ELEMENTS
        self._infos = {_folded(info.filename): info for info in infos}
        self._refuse_other_kinds()
        if len(infos) > MAX_PARTS:
            raise FileError(FileReason.TOO_MANY_PARTS, limit=MAX_PARTS)
        if len(self._infos) < len(infos):  # who reads which of them?
            raise FileError(FileReason.DAMAGED_WORKBOOK)
        if sum(info.file_size for info in infos) > MAX_UNPACKED:
            raise FileError(FileReason.UNPACKS_TOO_LARGE, limit=MAX_UNPACKED // MIB)
        for info in infos:
            _refuse_part(info)

    def __contains__(self, name: str) -> bool:
        return _folded(name) in self._infos

    def document(self) -> str:
        """Return the name of the part that the others hang on."""
        of_all = self.relations("")
        found = [each.target for each in of_all.values() if each.kind == "officeDocument"]
        if not found or found[0] not in self:
            raise FileError(FileReason.DAMAGED_WORKBOOK)
        if found[0].endswith(".bin"):
            raise FileError(FileReason.BINARY_WORKBOOK)
        return found[0]

    def relations(self, name: str) -> dict[str, Relation]:
        """Return what a part refers to, by id; of what lies outside of the file, nothing."""
        folder, _, own = name.rpartition("/")
        listed = posixpath.join(folder, "_rels", f"{own}.rels")
        if listed not in self:
            return {}
        found = {}
        for each in self.tree(listed):
            if each.get("TargetMode", "").lower() == "external":
                continue
            kind = each.get("Type", "").rpartition("/")[2]
            target = posixpath.join("/", folder, each.get("Target", "").replace("\\", "/"))
            found[each.get("Id", "")] = Relation(kind, posixpath.normpath(target).lstrip("/"))
        return found

    def tree(self, name: str) -> Element:
        """Return a small part as a tree."""
        with _damage_told(), self._zip.open(self._info(name)) as stream:
            data = stream.read(MAX_SMALL + 1)
            if len(data) > MAX_SMALL:
                raise FileError(FileReason.UNPACKS_TOO_LARGE, limit=MAX_SMALL // MIB)
            return fromstring(data, forbid_dtd=True)

    def feed(self, name: str, reader: "XmlReader", *, anew: bool = False) -> Iterator[None]:
        """Have a part read; stop after each piece, that what was found may be taken.

        All parts together have no more elements than are read in reasonable time; if it is read
        `anew`, it may have as many again.
        """
        if not anew:
            reader.left = self._left
        try:
            yield from reader.read(self.pieces(name))
        finally:
            if not anew:
                self._left = reader.left

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield what a part holds, piece by piece, and count whether it keeps its promise."""
        size = 0
        with _damage_told(), self._zip.open(self._info(name)) as stream:
            while piece := stream.read(_PIECE):
                size += len(piece)
                if size > MAX_UNPACKED:
                    raise FileError(FileReason.UNPACKS_TOO_LARGE, limit=MAX_UNPACKED // MIB)
                yield piece

    def _info(self, name: str) -> ZipInfo:
        try:
            return self._infos[_folded(name)]
        except KeyError:
            raise FileError(FileReason.DAMAGED_WORKBOOK) from None

    def _refuse_other_kinds(self) -> None:
        if "[content_types].xml" in self:
            return
        if "mimetype" in self and "content.xml" in self:
            with _damage_told(), self._zip.open(self._info("mimetype")) as stream:
                is_spreadsheet = stream.read(100).rstrip().endswith(b".spreadsheet")
            raise FileError(FileReason.OPEN_DOCUMENT if is_spreadsheet else FileReason.WORKBOOK)
        if "index/document.iwa" in self or "index.zip" in self:  # Numbers, Pages, Keynote
            raise FileError(FileReason.WORKBOOK)
        raise FileError(FileReason.ARCHIVE)


def _opened(file: IO[bytes]) -> ZipFile:
    is_office = OFFICE_PARTS.search(file.read(_HEAD))
    try:
        with _damage_told():
            return ZipFile(_Bounded(file))
    except FileError:
        if is_office:
            raise
        raise FileError(FileReason.ARCHIVE) from None


def _folded(name: str) -> str:
    """The name as the parts of a workbook are compared: case does not count."""
    return name.replace("\\", "/").lstrip("/").lower()


def _refuse_part(info: ZipInfo) -> None:
    if info.flag_bits & 1:
        raise FileError(FileReason.ENCRYPTED_WORKBOOK)
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):  # others unpack without a bound
        raise FileError(FileReason.DAMAGED_WORKBOOK)
    if info.file_size > max(FREE, info.compress_size * MAX_RATIO):
        raise FileError(FileReason.PACKED_TOO_TIGHT, limit=MAX_RATIO)


# --- XML ------------------------------------------------------------------------------------------

_SPREADSHEET = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",  # "Strict Open XML"
)


def known_tags(*names: str) -> dict[str, str]:
    """Return the names of a workbook's elements as the parser tells them → as we do."""
    return {f"{space} {name}": name for space in _SPREADSHEET for name in names}


def is_of_a_workbook(tag: str) -> bool:
    """Whether a tree's tag is that of the part which lists the sheets."""
    return tag in {f"{{{space}}}workbook" for space in _SPREADSHEET}


Attributes = Mapping[str, str]


class XmlReader:
    """Reads a part that may be large, never more of it in memory than a piece and a text.

    Whoever derives from it gets `begin()` and `end()` for the elements of TAGS, and has the text
    since the last `begin()` in `texts`, if the element is one of TEXTS. No DTD is read, so there
    are no entities to unfold and nothing outside to fetch.
    """

    TAGS: Mapping[str, str] = {}
    TEXTS: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.tag = ""  # which began last
        self.depth, self.left = 0, MAX_ELEMENTS
        parser = self._parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_dtd
        parser.StartElementHandler, parser.EndElementHandler = self._starter(), self._ender()
        parser.CharacterDataHandler = self.texts.append

    def begin(self, tag: str, attributes: Attributes) -> None:
        """An element begins."""

    def end(self, tag: str) -> None:
        """An element ends."""

    def read(self, pieces: Iterable[bytes]) -> Iterator[None]:
        """Read the part, piece by piece."""
        parser, fed = self._parser, 0
        for piece in pieces:
            with _damage_told():
                parser.Parse(piece, False)
            fed += len(piece)
            if fed - parser.CurrentByteIndex > MAX_TOKEN:
                raise FileError(FileReason.DAMAGED_WORKBOOK)
            self._bound_text()
            yield
        with _damage_told():
            parser.Parse(b"", True)
        yield

    def _bound_text(self) -> None:
        if self.tag not in self.TEXTS:
            self.texts.clear()
        elif sum(map(len, self.texts)) > MAX_TEXT:
            raise FileError(FileReason.LONG_CELL, limit=MAX_TEXT)

    def _starter(self) -> Callable[[str, Attributes], None]:
        known, begin, clear = self.TAGS.get, self.begin, self.texts.clear

        def start(name: str, attributes: Attributes) -> None:
            self.depth += 1
            self.left -= 1
            if self.depth > MAX_DEPTH:
                raise FileError(FileReason.DAMAGED_WORKBOOK)
            if self.left < 0:
                raise FileError(FileReason.TOO_MANY_CELLS)
            self.tag = tag = known(name, "")
            if tag:
                clear()
                begin(tag, attributes)

        return start

    def _ender(self) -> Callable[[str], None]:
        known, end = self.TAGS.get, self.end

        def finish(name: str) -> None:
            self.depth -= 1
            if tag := known(name):
                end(tag)
            self.tag = ""

        return finish


def _refuse_dtd(name: str, system: str | None, public: str | None, has_subset: bool) -> None:
    raise DTDForbidden(name, system, public)
