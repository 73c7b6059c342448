"""`python -m scripts.reference`: write every page of docs/reference/."""

from __future__ import annotations

from scripts.reference.generate import FOLDER, pages

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"docs/reference/{name}")
