"""Coroutine functions given to those who keep listeners and call each of them."""


class Bus:
    def __init__(self):
        self._listeners = []
        self._observers = {}
        self._awaited = []

    def listen(self, listener):
        self._listeners.append(listener)
        return listener

    def observe(self, name, callback):
        self._observers.setdefault(name, []).append(callback)

    def attend(self, callback):
        self._awaited.append(callback)

    def emit(self, name, value):
        for listener in list(self._listeners):
            listener(value)
        for observer in self._observers.get(name, ()):
            observer(value)

    async def emit_awaited(self, value):
        for callback in self._awaited:
            await callback(value)


class Battery:
    def __init__(self, bus: Bus):
        bus.listen(self.on_value)  # expect: HCS301
        bus.listen(self.on_value_now)
        bus.observe("charge", self.on_value)  # expect: HCS301
        bus.observe("charge", self.on_value_now)
        bus.attend(self.on_value)

    async def on_value(self, value):
        pass

    def on_value_now(self, value):
        pass
