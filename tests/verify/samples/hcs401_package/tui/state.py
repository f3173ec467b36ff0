from .utils import dialogs


class AppState:
    async def show_dialog(self, dialog, future):
        try:
            self.refresh()
        except Exception as error:
            await dialogs.show_global_error(error, "dialog", self)  # expect: HCS401
        await future

    def refresh(self):
        pass


class StatusBar:
    def display_error(self, message):
        try:
            self.redraw(message)
        except Exception as error:
            self.display_error(str(error))  # expect: HCS401

    def redraw(self, message):
        pass


class GuardedBar:
    _showing = False

    def display_error(self, message):
        if self._showing:
            return
        self._showing = True
        try:
            self.redraw(message)
        except Exception as error:
            self.display_error(str(error))
        finally:
            self._showing = False

    def redraw(self, message):
        pass


class LoggingBar:
    def display_error(self, message):
        try:
            self.redraw(message)
        except Exception as error:
            print(error)

    def redraw(self, message):
        pass
