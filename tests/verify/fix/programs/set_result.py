# fixes: HCS302 unsafe 3
# before: True InvalidStateError InvalidStateError InvalidStateError
# after: True
import asyncio

from prompt_toolkit.widgets import Button


class Question:
    def __init__(self):
        self.answer = asyncio.get_running_loop().create_future()
        self.yes = Button("yes", handler=self.say_yes)
        self.no = Button("no", handler=lambda: self.answer.set_result(False))

        def stop():
            # Nobody waits any more.
            self.answer.set_exception(
                ValueError("stopped"),  # why
            )

        self.stop = Button("stop", handler=stop)

    def say_yes(self):
        self.answer.set_result(True)  # said


async def main():
    question = Question()
    question.yes.handler()
    said = [await question.answer]
    for button in (question.yes, question.no, question.stop):
        try:
            button.handler()
        except asyncio.InvalidStateError as error:
            said.append(type(error).__name__)
    print(*said)


asyncio.run(main())
