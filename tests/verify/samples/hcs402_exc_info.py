import logging
import sys

logger = logging.getLogger(__name__)


class Handler:
    _showing = False

    async def handle_error(self, exception, context="operation"):
        if self._showing:
            logger.error("while showing: %s", exception, exc_info=True)  # expect: HCS402
            return
        try:
            self._showing = True
        except Exception:
            logger.error("failed", exc_info=True)
        finally:
            logger.debug("done", exc_info=True)


def on_done(task):
    if task.exception():
        logger.error("task failed", exc_info=True)  # expect: HCS402


def check(result):
    if not result:
        logger.warning("nothing came back", exc_info=True)  # expect: HCS402
        result = []
    return result


def report(message):
    logger.error(message, exc_info=True)


def used():
    try:
        check([])
    except ValueError:
        report("x")


def from_the_outside():
    check(1)


def asks():
    if sys.exc_info()[0]:
        logger.error("x", exc_info=True)


class Context:
    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        logger.error("left", exc_info=True)


def passes_it(error):
    logger.error("x", exc_info=error)


def no_exception(task):
    if task.cancelled():
        logger.exception("cancelled")  # expect: HCS402
    return task.exception()
