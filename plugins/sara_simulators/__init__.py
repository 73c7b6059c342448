"""Simulators of the providers, for `sara demo`, `sara simulate` and tests. A running daemon imports none of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sara import hookimpl

if TYPE_CHECKING:
    from sara import Simulator

__all__ = ["register_simulators"]


@hookimpl
def register_simulators() -> Mapping[str, type[Simulator]]:
    """Register the providers of the bundled channel and responder."""
    from sara_simulators.openai import OpenAISimulator
    from sara_simulators.whatsapp import WhatsAppSimulator

    return {"whatsapp": WhatsAppSimulator, "openai": OpenAISimulator}
