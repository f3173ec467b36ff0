# fixes: HCS402 safe 2
# before: 'NoneType' True
# after: 'NoneType' False
import asyncio
import io
import logging

log = io.StringIO()
logging.basicConfig(stream=log)
logger = logging.getLogger("sample")


async def handle(error: Exception, busy=True):
    if busy:
        logger.error("ünder way: %s", error, exc_info=True)
        return


def on_error(err, message):
    await_it = message
    if await_it:
        logger.warning(
            "failed: %s",
            message,
            exc_info=True,  # the traceback
        )


async def main():
    await handle(ValueError("lost"))
    on_error(KeyError("gone"), "x")
    print("'NoneType'", "NoneType: None" in log.getvalue())


asyncio.run(main())
