"""Answers customers with OpenAI, or with any server that speaks its protocol: Ollama, vLLM, llama.cpp, OpenRouter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sara import hookimpl

if TYPE_CHECKING:
    from sara import Responder

__all__ = ["register_responders"]


@hookimpl
def register_responders() -> list[type[Responder]]:
    """`plugin: openai`."""
    from sara_openai.responder import OpenAIResponder

    return [OpenAIResponder]
