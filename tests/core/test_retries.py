"""Which failures are tried again."""

from __future__ import annotations

import errno

import pytest

from openhcs.core.retries import is_transient
from openhcs.errors import PlaneError, StoreError


def raised_from(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
@pytest.mark.parametrize("kind", [PlaneError, StoreError])
def test_a_file_system_that_did_not_answer_is_tried_again(kind: type[Exception], number: int) -> None:
    """A plane that could not be read, or results not written, because of the file system may be mended by itself."""
    assert is_transient(raised_from(kind("a file"), OSError(number, "no answer")))


@pytest.mark.parametrize(
    "error",
    [
        PlaneError("truncated"),
        raised_from(PlaneError("missing"), FileNotFoundError(errno.ENOENT, "missing")),
        raised_from(StoreError("full"), OSError(errno.ENOSPC, "full")),
        OSError(errno.EIO, "raised by a function that opened a file of its own"),
        ValueError("raised by a function"),
    ],
)
def test_what_would_happen_again_is_not_tried_again(error: Exception) -> None:
    """Damaged and missing images, a full disk, and whatever a function raised are failures at once."""
    assert not is_transient(error)
