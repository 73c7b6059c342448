from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import sara_openai
import sara_simulators
from sara_openai.responder import OpenAIResponder
from sara_simulators.openai import OpenAISimulator
from sara_simulators.whatsapp import WhatsAppSimulator

from tests.patience import patience

ROOT = Path(__file__).parents[3]


def loaded_by(statement: str) -> set[str]:
    script = f"import sys; sys.path[:0] = ['plugins', '.']; {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=patience(60), cwd=ROOT
    )
    return set(done.stdout.split())


def test_the_plugin_brings_the_responder() -> None:
    assert sara_openai.register_responders() == [OpenAIResponder]


def test_simulators_are_named_after_the_plugin_whose_provider_they_play() -> None:
    assert dict(sara_simulators.register_simulators()) == {"whatsapp": WhatsAppSimulator, "openai": OpenAISimulator}


def test_importing_the_plugin_imports_neither_openai_nor_pydantic_nor_aiohttp() -> None:
    assert not loaded_by("import sara_openai") & {"openai", "pydantic", "aiohttp", "sara_openai.responder"}


def test_importing_the_responder_and_its_simulator_does_not_import_openai_or_a_web_server() -> None:
    loaded = loaded_by("import sara_openai; sara_openai.register_responders()")
    assert "sara_openai.responder" in loaded
    assert not loaded & {"openai", "httpx2", "aiohttp", "aiohttp.web"}
