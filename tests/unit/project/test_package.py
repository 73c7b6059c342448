"""What is delivered: one wheel with everything that `sara` needs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_wheel_holds_the_core_all_bundled_plugins_and_their_files(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [wheel] = tmp_path.glob("sara_daemon-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    packages = [
        ROOT / "sara",
        *(path for path in (ROOT / "plugins").iterdir() if path.is_dir() and path.name.startswith("sara_")),
    ]
    for package in packages:
        for file in package.rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert str(file.relative_to(package.parent)) in names
    assert not [name for name in names if name.startswith(("plugins/", "tests/", "docs/"))]
    metadata = zipfile.ZipFile(wheel).read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    for line in ("sara = sara.cli:main", "whatsapp = sara_whatsapp", "openai = sara_openai", "sqlite = sara_sqlite"):
        assert line in metadata


def test_the_locks_pin_every_package_by_hash_and_name_no_host() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / lock).read_text(encoding="utf-8")
        assert "http" not in text.replace("http2", "").replace("httpx", "").replace("httpcore", "").replace(
            "aiohttp", ""
        ).replace("httptools", "")
        requirements = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert requirements
        assert all("==" in line and line.endswith("\\") for line in requirements)
