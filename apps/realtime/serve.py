"""Runs the whole ASGI application on one port: `python -m apps.realtime.serve --port 8000 [--server daphne|uvicorn]`.

SIGTERM or SIGINT: refuse new connections, close the open ones spread over the drain window, exit with 0. A port that
is taken ends with 1 and a sentence.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
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
    return parser.parse_args(argv)


def _listen(host: str, port: int) -> socket.socket:
    """Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def _application() -> DataPlane:
    os.environ.setdefault("PUSHSAAS_ROLE", "web")
    from pushsaas.asgi import application

    return application


def run_daphne(listener: socket.socket, drain: float) -> str | None:
    """Until stopped; what went wrong, if anything did."""
    import uvloop

    # Before Daphne is imported: it makes its loop while it is.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    application = _application()
    from apps.realtime.servers import daphne

    # Handed over for good: Twisted listens on a duplicate and closes this one.
    endpoint = f"fd:fileno={listener.detach()}"
    server = daphne.GatewayServer(application, [endpoint], on_signal=lambda: application.plane().drain(drain))
    loop = daphne.event_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, server.signalled)
    starting = loop.create_task(application.start())
    server.run()
    starting.cancel()
    return server.failure


async def _serve_uvicorn(listener: socket.socket, drain: float) -> None:
    import uvicorn

    application = _application()
    from apps.realtime.servers.uvicorn import FramesProtocol

    config = uvicorn.Config(
        application, ws=FramesProtocol, http="httptools", lifespan="off", access_log=False, log_config=None,
        server_header=False, backlog=BACKLOG, timeout_graceful_shutdown=5,
    )  # fmt: skip
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    for number in _SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, setattr, server, "should_exit", True)
    await server.startup(sockets=[listener])
    starting = asyncio.create_task(application.start())
    await server.main_loop()
    starting.cancel()
    for running in server.servers:
        running.close()
    await application.plane().drain(drain)
    await server.shutdown(sockets=[listener])


def run_uvicorn(listener: socket.socket, drain: float) -> str | None:
    """Until stopped."""
    import uvloop

    uvloop.run(_serve_uvicorn(listener, drain))
    return None


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _arguments(argv)
    try:
        listener = _listen(arguments.host, arguments.port)
    except OSError as error:
        sys.stderr.write(f"Cannot listen on {arguments.host}:{arguments.port}: {error.strerror or error}\n")
        return 1
    run = run_daphne if arguments.server == "daphne" else run_uvicorn
    failure = run(listener, arguments.drain)
    if failure:
        sys.stderr.write(f"The server could not start: {failure}\n")
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
