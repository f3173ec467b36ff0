"""Reading and writing pipeline files for the pipeline editor: blocking, to be called in threads.

The engine's modules are imported when they are called: their reader imports pydantic, which the first frame need not
wait for.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from openhcs.core.model import Pipeline
from openhcs.errors import PipelineError
from openhcs.tui.workbench import EditedPipeline

__all__ = [
    "existing_folder",
    "file_name",
    "list_shipped",
    "load_file",
    "missing_of",
    "save_file",
    "text_in",
    "text_of",
]


def existing_folder(folder: Path) -> Path:
    """`folder`, made where it can be; else the working directory."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path.cwd()
    return folder


def list_shipped() -> Mapping[str, Path]:
    """The pipelines that come with the program, by name."""
    from openhcs.core.pipeline_file import shipped_pipelines

    return shipped_pipelines()


def load_file(file: Path) -> tuple[Pipeline, str, bool]:
    """The pipeline in `file`, its text, and whether that is one of the program's own, not to be written to.

    Raises:
        PipelineError: it cannot be read, or is no pipeline.
    """
    from openhcs.core.pipeline_file import parse_pipeline, read_pipeline_text, shipped_pipelines

    text = read_pipeline_text(file)
    return parse_pipeline(text, str(file)), text, file in shipped_pipelines().values()


def save_file(editing: EditedPipeline, path: Path) -> tuple[str, bool]:
    """Write the pipeline; what was written, and whether comments were lost.

    Raises:
        StoreError: the file cannot be written.
        PipelineError: the pipeline cannot be written as text.
    """
    from openhcs.core.pipeline_comments import has_comments
    from openhcs.core.pipeline_file import save_pipeline

    text = text_of(editing)
    save_pipeline(editing.pipeline, path, text)
    return text, _with_comments(editing) is None and has_comments(editing.text)


def text_of(editing: EditedPipeline) -> str:
    """The pipeline as text, with the comments of the text that it came from where they can be kept."""
    from openhcs.core.pipeline_file import dump_pipeline

    kept = _with_comments(editing)
    return kept if kept is not None else dump_pipeline(editing.pipeline)


def _with_comments(editing: EditedPipeline) -> str | None:
    from openhcs.core.pipeline_comments import keep_comments

    return keep_comments(editing.pipeline, editing.text) if editing.text else None


def text_in(path: Path) -> str | None:
    """What a pipeline file holds; None where it cannot be read, which saving will tell."""
    from openhcs.core.pipeline_file import read_pipeline_text

    try:
        return read_pipeline_text(path)
    except PipelineError:
        return None


def file_name(editing: EditedPipeline) -> str:
    """What the file is called in the editor."""
    if editing.path is not None:
        return editing.path.name
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '_', editing.pipeline.name).strip('._')[:60] or 'pipeline'}.yaml"


def missing_of(files: Collection[Path]) -> frozenset[Path]:
    """Those of `files` that are no longer there."""
    return frozenset(file for file in files if not file.is_file())
