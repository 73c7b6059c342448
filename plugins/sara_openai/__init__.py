"""Plugin `openai`: answers customers with OpenAI or an OpenAI-compatible server (Ollama, vLLM, llama.cpp, OpenRouter)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sara import hookimpl

if TYPE_CHECKING:
    from sara import Responder

__all__ = ["register_responders"]


@hookimpl
def register_responders() -> list[type[Responder]]:
    """Return the responder class behind `plugin: openai`."""
    from sara_openai.responder import OpenAIResponder

    return [OpenAIResponder]
