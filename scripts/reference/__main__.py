"""Writes docs/reference anew."""

from scripts.reference.pages import FOLDER, pages

for name, text in pages().items():
    file = FOLDER / name
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")
        print(f"{file.relative_to(FOLDER.parents[1])} is new")
