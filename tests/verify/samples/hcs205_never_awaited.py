import asyncio


async def work():
    pass


class Base:
    async def refresh(self):
        pass


class Pane(Base):
    async def load(self):
        self.refresh()  # expect: HCS205
        super().refresh()  # expect: HCS205
        await self.refresh()

    def draw(self):
        self.load()  # expect: HCS205


class Other:
    def refresh(self):
        pass


def make(pane: Pane, other: Other, unknown):
    pane.load()  # expect: HCS205
    other.refresh()
    unknown.refresh()
    work()  # expect: HCS205
    asyncio.run(work())
    return work()


def sometimes(yes):
    thing = Pane() if yes else Other()
    thing.refresh()
