"""Futures that a time limit elsewhere has cancelled when the answer comes."""

import asyncio
from dataclasses import dataclass


class Bus:
    def __init__(self):
        self._reply: asyncio.Future | None = None
        self._cleared: asyncio.Future | None = None

    async def ask(self):
        self._reply = asyncio.get_running_loop().create_future()
        return await asyncio.wait_for(self._reply, 1)

    def feed(self, data):
        if self._reply:
            self._reply.set_result(data)  # expect: HCS302

    def feed_guarded(self, data):
        if self._reply and not self._reply.done():
            self._reply.set_result(data)

    def feed_once(self, data):
        reply, self._reply = self._reply, None
        if reply is not None and not reply.done():
            reply.set_result(data)

    async def ask_and_clear(self):
        self._cleared = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.wait_for(self._cleared, 1)
        finally:
            self._cleared = None

    def feed_cleared(self, data):
        if self._cleared:
            self._cleared.set_result(data)


@dataclass
class Order:
    filled: asyncio.Future


class Gateway:
    def __init__(self):
        self.orders = {}

    async def place(self, number, order):
        self.orders[number] = order
        return await asyncio.wait_for(order.filled, 30)

    def on_fill(self, number):
        self.orders[number].filled.set_result(True)  # expect: HCS302

    def on_reject(self, number):
        order = self.orders.pop(number)
        order.filled.set_exception(RuntimeError("rejected"))  # expect: HCS302

    def on_cancel(self, number):
        order = self.orders.pop(number)
        if order.filled.done():
            return
        order.filled.set_result(False)


class Answers(asyncio.Protocol):
    def __init__(self):
        self._waiting: dict[int, asyncio.Future[bytes]] = {}

    def data_received(self, data):
        future = self._waiting.get(data[0])
        if future is not None:
            future.set_result(data[1:])  # expect: HCS302
