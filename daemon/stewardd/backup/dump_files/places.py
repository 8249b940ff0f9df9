"""The places below which dump files may lie, and the opening of one by its URI: never a file elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from stewardd.errors import InputRefused, UriRefused
from stewardd.repository.backend.all import open_store
from stewardd.repository.input_files import InputFile, InputRoots

FIELD = "restore.dump_uri"
_THREADS = 2


@dataclass(frozen=True, slots=True)
class DumpRoot:
    """A configured root: a folder or a bucket, and the options of its client. Its repr shows no option."""

    url: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)


class DumpPlaces:
    """Opens dump files. Buckets are opened when a file is first asked for."""

    def __init__(self, roots: Sequence[DumpRoot]) -> None:
        self.roots = tuple(roots)
        self._inputs: InputRoots | None = None
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="dump-file")

    async def open(self, uri: str) -> InputFile:
        """Opens the file that a URI names; close it. Raises: UriRefused, ConfigurationError, RepositoryDown."""
        if self._inputs is None:
            options = {root.url.rstrip("/"): root.options for root in self.roots}
            self._inputs = InputRoots.of(
                [root.url for root in self.roots],
                lambda url: open_store(url, options[url], foreign_names=True),
            )
        try:
            return await self._inputs.open(uri, self._threads)
        except UriRefused as error:
            raise UriRefused(
                error.message,
                field=FIELD,
                hint="name a file by `file:///…`, or an object by its bucket's URL, below the url of one of "
                "`backup.import_roots`",
            ) from None


def changed() -> InputRefused:
    """The error where two readings of a file differ."""
    return InputRefused(
        "the dump file was changed while it was read", hint="name a file that nobody writes to"
    )
