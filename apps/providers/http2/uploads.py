"""Bodies that wait for the peer's permission (RFC 9113 section 5.2). Pure."""

from __future__ import annotations

from apps.providers.http2.frames import (
    DEFAULT_WINDOW,
    END_STREAM,
    MAX_FRAME,
    MAX_WINDOW,
    Broken,
    Code,
    Kind,
    frame,
)


class Upload:
    """What is left of one stream's body, and how much of it the stream may send."""

    __slots__ = ("body", "window")

    def __init__(self, body: bytes, window: int) -> None:
        self.body, self.window = body, window


class Uploads:
    """How many bytes may leave, and who waits to send more. frame_size: the largest payload that the peer takes."""

    def __init__(self) -> None:
        self.frame_size = MAX_FRAME
        self.window = self.stream_window = DEFAULT_WINDOW
        self.waiting: dict[int, Upload] = {}

    def takes_whole(self, size: int) -> bool:
        """Whether a new stream may send so many bytes at once, in one frame. Then they are counted as sent."""
        if size > self.frame_size or size > self.window or size > self.stream_window:
            return False
        self.window -= size
        return True

    def pump(self) -> list[bytes]:
        """Frames that may leave now, of those who began waiting first."""
        frames: list[bytes] = []
        for stream, upload in list(self.waiting.items()):
            while upload.body and (room := min(self.window, upload.window, self.frame_size)) > 0:
                piece, upload.body = upload.body[:room], upload.body[room:]
                upload.window -= len(piece)
                self.window -= len(piece)
                frames.append(frame(Kind.DATA, 0 if upload.body else END_STREAM, stream, piece))
            if not upload.body:
                del self.waiting[stream]
        return frames

    def allow(self, stream: int, bytes_more: int) -> None:
        """stream 0: the connection. Raises Broken when the window grows out of bounds."""
        if stream == 0:
            self.window = _bounded(self.window + bytes_more)
        elif stream in self.waiting:
            upload = self.waiting[stream]
            upload.window = _bounded(upload.window + bytes_more)

    def resize(self, stream_window: int) -> None:
        """The peer's new initial window, which moves every stream's; it may become negative. Raises Broken."""
        change = _bounded(stream_window) - self.stream_window
        self.stream_window = stream_window
        for upload in self.waiting.values():
            upload.window = _bounded(upload.window + change)


def _bounded(window: int) -> int:
    if window > MAX_WINDOW:
        raise Broken(Code.FLOW_CONTROL_ERROR, "window")
    return window
