"""The two HTTP listeners: the public one for webhooks and the admin one."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from aiohttp import web

from sara.domain.errors import ConfigError, SaraError
from sara.plugins.connection_errors import FORBIDDEN, explain_not_listening
from sara.web.connection_limit import ConnectionLimits, LimitedRunner, most_connections

if TYPE_CHECKING:
    from sara.config.settings import Config, Listen


class Listeners:
    """Opens listeners within the limits of a configuration. `stack` closes them."""

    def __init__(self, config: Config, stack: AsyncExitStack) -> None:
        server = config.server
        self._limits = ConnectionLimits(most_connections(), server.connections_per_address, server.trusted_proxies)
        self._stack = stack

    async def open(self, app: web.Application, listen: Listen, section: str) -> str:
        """Serve an application and return its URL. `section` of the configuration is named in the error."""
        runner = LimitedRunner(app, self._limits)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, listen.host, listen.port, backlog=1024)
        try:
            await site.start()
        except OSError as error:
            reason = f"{section}.listen: {listen} cannot be opened: {explain_not_listening(listen.host, listen.port, error)}"
            # Other causes than a forbidden address may be gone at the next start.
            raise (ConfigError if error.errno in FORBIDDEN else SaraError)(reason) from error
        host, port = runner.addresses[0][:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"
