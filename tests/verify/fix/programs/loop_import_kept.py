# fixes: HCS303 safe 1
from asyncio import get_event_loop, new_event_loop, set_event_loop


async def main():
    return get_event_loop()


set_event_loop(new_event_loop())
loop = get_event_loop()
print(loop.run_until_complete(main()) is loop)
loop.close()
