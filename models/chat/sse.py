"""Server-sent events: the messages in a streamed answer, whatever line endings the server uses."""

import json
from collections.abc import AsyncGenerator, AsyncIterator

FIELDS = (b"data", b"event", b"id", b"retry")
MOST_BYTES = 16 * 2**20
"""Size limit of one message. No reply is that long, and a server that never ends a line would fill memory."""


class EventReader:
    """Takes bytes as they arrive and returns the data of each completed message.

    Lines may end in LF, CRLF or CR. U+2028 and similar characters do not end a line: JSON may contain them. Data spread
    over several lines is joined by line feeds. The empty line between messages may be missing: complete JSON is a
    message. A body that is not an event stream, such as an error sent as plain JSON, is returned whole by `finish`.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._plain: list[bytes] | None = None
        self._begun = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The messages completed by this chunk. Raises ValueError for one of more than MOST_BYTES."""
        text = self._rest + chunk
        # A CR at the end may be half of a CRLF: it waits, or the LF would look like an empty line.
        half = b"\r" if text.endswith(b"\r") else b""
        *lines, self._rest = text.removesuffix(half).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest += half
        if len(self._rest) + sum(map(len, self._data)) + sum(map(len, self._plain or ())) > MOST_BYTES:
            raise ValueError("a message of more than 16 MiB")
        return [message for line in lines for message in self._line(line)]

    def finish(self) -> list[bytes]:
        """The messages left when the answer has ended, complete except for their empty line. JSON that is torn in the
        middle is left out: the server broke off."""
        messages = self._line(self._rest.removesuffix(b"\r"))
        if self._plain is not None:
            return [b"\n".join(self._plain)]
        return [each for each in (*messages, *self._line(b"")) if not each.startswith(b"{") or is_json(each)]

    def _line(self, line: bytes) -> list[bytes]:
        if not self._begun:
            line = line.removeprefix(b"\xef\xbb\xbf")
            self._begun = bool(line.strip())
            if self._begun and line.partition(b":")[0] not in (b"", *FIELDS):
                self._plain = []
        if self._plain is not None:
            self._plain.append(line)
            return []
        if not line:
            return self._message()
        name, _, value = line.partition(b":")
        if name != b"data":
            return []
        before = self._message() if self._data and is_json(b"\n".join(self._data)) else []
        self._data.append(value.removeprefix(b" "))
        return before

    def _message(self) -> list[bytes]:
        data, self._data = b"\n".join(self._data).strip(), []
        return [data] if data else []


def is_json(data: bytes) -> bool:
    """Whether this is a complete JSON value or the marker that ends a stream."""
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return data.strip() == b"[DONE]"
    return True


async def messages(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The data of each message; empty for bytes that complete none, such as a keep-alive comment."""
    reader = EventReader()
    async for chunk in chunks:
        for message in reader.feed(chunk) or [b""]:
            yield message
    for message in reader.finish():
        yield message
