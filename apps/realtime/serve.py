"""Runs the whole ASGI application on one port: `python -m apps.realtime.serve --port 8000 [--server daphne|uvicorn]`.

SIGTERM or SIGINT: refuse new connections, close the open ones spread over the drain window, exit with 0. A port that
is taken ends with 1 and a sentence.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apps.realtime.asgi import DataPlane

BACKLOG = 4096
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m apps.realtime.serve", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--server", choices=("daphne", "uvicorn"), default="daphne")
    parser.add_argument("--drain", type=float, default=5.0, metavar="SECONDS", help="window for closing connections")
    parser.add_argument("--tls-certificate", metavar="FILE", help="PEM chain; Daphne then speaks HTTP/2 too")
    parser.add_argument("--tls-key", metavar="FILE", help="PEM key of the certificate")
    arguments = parser.parse_args(argv)
    if bool(arguments.tls_certificate) != bool(arguments.tls_key):
        parser.error("--tls-certificate and --tls-key go together")
    return arguments


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of PEM files."""

    certificate: str
    key: str


def _bind(host: str, port: int) -> socket.socket:
    """Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.setblocking(False)
    return listener


def _application() -> DataPlane:
    os.environ.setdefault("PUSHSAAS_ROLE", "web")
    from pushsaas.asgi import application

    return application


def _settle_memory() -> None:
    """What is loaded stays loaded: collections leave it alone, and come less often than a busy gateway allocates."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _endpoint(listener: socket.socket, tls: Tls | None) -> str:
    """In Twisted's words. The listener is given up: Twisted listens on a duplicate, or anew."""
    if tls is None:
        listener.listen(BACKLOG)
        return f"fd:fileno={listener.detach()}"
    from twisted.internet.endpoints import quoteStringArgument

    def quoted(text: str) -> str:
        return str(quoteStringArgument(text))  # type: ignore[no-untyped-call]  # Twisted leaves it untyped

    host, port = listener.getsockname()[:2]
    listener.close()  # Twisted has no endpoint for TLS on a socket of ours
    return f"ssl:{port}:interface={quoted(host)}:certKey={quoted(tls.certificate)}:privateKey={quoted(tls.key)}"


def run_daphne(listener: socket.socket, drain: float, tls: Tls | None) -> str | None:
    """Until stopped; what went wrong, if anything did."""
    import uvloop

    # Before Daphne is imported: it makes its loop while it is.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    application = _application()
    from apps.realtime.servers import daphne

    server = daphne.GatewayServer(
        application, [_endpoint(listener, tls)], on_signal=lambda: application.plane().drain(drain)
    )
    loop = daphne.event_loop()
    _settle_memory()
    for number in _SIGNALS:
        loop.add_signal_handler(number, server.signalled)
    starting = loop.create_task(application.start())
    server.run()
    starting.cancel()
    return server.failure


async def _serve_uvicorn(listener: socket.socket, drain: float, tls: Tls | None) -> None:
    import uvicorn

    application = _application()
    from apps.realtime.servers.uvicorn import CorkedHttp, FramesProtocol

    config = uvicorn.Config(
        application, ws=FramesProtocol, http=CorkedHttp, lifespan="off", access_log=False, log_config=None,
        server_header=False, proxy_headers=False, backlog=BACKLOG, timeout_graceful_shutdown=5,
        ssl_certfile=tls.certificate if tls else None, ssl_keyfile=tls.key if tls else None,
    )  # fmt: skip
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    for number in _SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, setattr, server, "should_exit", True)
    _settle_memory()
    await server.startup(sockets=[listener])
    starting = asyncio.create_task(application.start())
    await server.main_loop()
    starting.cancel()
    for running in server.servers:
        running.close()
    await application.plane().drain(drain)
    await server.shutdown(sockets=[listener])


def run_uvicorn(listener: socket.socket, drain: float, tls: Tls | None) -> str | None:
    """Until stopped."""
    import uvloop

    uvloop.run(_serve_uvicorn(listener, drain, tls))
    return None


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _arguments(argv)
    try:
        listener = _bind(arguments.host, arguments.port)
    except OSError as error:
        sys.stderr.write(f"Cannot listen on {arguments.host}:{arguments.port}: {error.strerror or error}\n")
        return 1
    run = run_daphne if arguments.server == "daphne" else run_uvicorn
    tls = Tls(arguments.tls_certificate, arguments.tls_key) if arguments.tls_certificate else None
    failure = run(listener, arguments.drain, tls)
    if failure:
        sys.stderr.write(f"The server could not start: {failure}\n")
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
