import asyncio


class TaskManager:
    def __init__(self):
        self._tasks = set()
        self._handler = None

    def set_error_handler(self, handler):
        self._handler = handler

    def create_task(self, coro, name=None):
        task = asyncio.create_task(self._wrapped(coro), name=name)
        self._tasks.add(task)
        return task

    async def _wrapped(self, coro):
        try:
            return await coro
        except Exception as error:
            if self._handler:
                self._handler(error, "task")

    def fire_and_forget(self, coro, name=None):
        self.create_task(coro, name)


_manager = None


def get_task_manager() -> TaskManager:
    global _manager
    if _manager is None:
        _manager = TaskManager()
    return _manager
