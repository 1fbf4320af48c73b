"""From a configuration to a process that answers."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from recdistill.errors import ConfigError, MissingExtraError
from recdistill.serving.configuration import ServerConfig
from recdistill.serving.pointer import Pointer

if TYPE_CHECKING:
    import uvicorn

    from recdistill.serving.answering import Student
    from recdistill.serving.app import Application
    from recdistill.serving.assignment import Assignment


def bound(config: ServerConfig) -> socket.socket:
    """A socket that listens where the configuration says.

    Raises:
        ConfigError: the address is taken, or not this machine's.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"Cannot listen on {config.host}, port {config.port}: {error.strerror}.",
            "Choose another with --port.",
        ) from None
    listener.listen(512)  # who comes before the server turns waits, rather than being refused
    return listener


def address(config: ServerConfig, listener: socket.socket) -> str:
    """What to type into a client."""
    host, port = listener.getsockname()[:2]
    return f"{'https' if config.certificate else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def serve_here(assignment: Assignment, listener: socket.socket, began: Callable[[], None]) -> None:
    """Answer in this process until SIGTERM or SIGINT; requests under way are finished first.

    Raises:
        RecDistillError: it cannot begin.
    """
    from recdistill.serving.shelf import Keeper, Shelf, warmed

    pointer = Pointer(assignment.bundle)
    pointed = pointer.path.exists()
    recording, trusted = assignment.kept_requests(), assignment.trusted

    def opens(path: Path) -> Student:
        replayed = recording.sample() if recording else ()
        return warmed(path, replayed=replayed, trusted=trusted)

    shelf = Shelf(opens(pointer.bundle if pointed else assignment.bundle))
    app = assignment.application(shelf, recording)
    server = web_server(app, assignment.config)
    keeper = Keeper(shelf, pointer, app, opens=opens) if pointed else None
    if keeper:
        keeper.start()
    began()
    try:
        answer_until_told(server, listener)
    finally:
        if keeper:
            keeper.stop()
        app.close()


def serve_with_workers(
    assignment: Assignment, listener: socket.socket, began: Callable[[], None]
) -> None:
    """Have processes answer that share the listener, until SIGTERM or SIGINT.

    Raises:
        RecDistillError: they cannot begin.
    """
    from recdistill.serving.workers.supervisor import Supervisor

    pointer = Pointer(assignment.bundle)
    Supervisor(assignment, listener, pointer if pointer.path.exists() else None, began).run()


def answer_until_told(server: uvicorn.Server, listener: socket.socket) -> None:
    """Run a server until SIGTERM, finish what is under way, and return: the caller has things to put away."""

    def told(*signal_and_frame: object) -> None:
        server.should_exit = True

    # Before uvicorn listens to signals it may come too; and when uvicorn is done it passes the signal on, which by
    # default would end the process there and then.
    before = signal.signal(signal.SIGTERM, told)
    try:
        server.run(sockets=[listener])
    finally:
        signal.signal(signal.SIGTERM, before)


def web_server(app: Application, config: ServerConfig) -> uvicorn.Server:
    """Uvicorn, told to trust nothing and to write nothing about anybody."""
    try:
        import uvicorn

        from recdistill.serving.protocol import bounded
    except ImportError:
        raise MissingExtraError("Serving a bundle", "serve") from None
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=bounded(config.limits),
            access_log=False,  # its lines hold addresses, and with them ids of users
            log_level="warning",
            lifespan="off",
            ws="none",
            proxy_headers=False,
            server_header=False,
            limit_concurrency=config.limits.connections,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=config.limits.farewell,
            ssl_certfile=config.certificate,
            ssl_keyfile=config.certificate_key,
        )
    )
