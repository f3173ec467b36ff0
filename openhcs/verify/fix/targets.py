"""What fixes put in place of what they take away: the spawner of tasks, and the managed focus call.

Both are settings, `module:expression`; without one ours is taken where the program has it. Standard library only.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from openhcs.verify.config import Config, UsageError
from openhcs.verify.program import Program

__all__ = ["Replacements", "Target"]

_SPAWNER = "openhcs.tui.utils.unified_task_manager:get_task_manager().fire_and_forget"
_FOCUS = "openhcs.tui.utils.focus_manager:get_focus_manager().set_focus_after_delay"

_FORM = re.compile(r"(?P<module>[A-Za-z_][\w.]*):(?P<root>[A-Za-z_]\w*)(?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True)
class Target:
    """Something a module offers: `rest` is what follows the imported name `root` in the expression."""

    module: str
    root: str
    rest: str = ""

    @property
    def last_name(self) -> str:
        """The name of the function that is called in the end."""
        return self.rest.rpartition(".")[2] if "." in self.rest else self.root

    @classmethod
    def parsed(cls, text: str, where: str) -> Target:
        """A setting as text, such as `myapp.tasks:get_owner().spawn`."""
        match = _FORM.fullmatch(text.strip())
        try:
            if match is None:
                raise SyntaxError("it has no module before a colon")
            ast.parse(match["root"] + match["rest"], mode="eval")
        except SyntaxError as error:
            raise UsageError(
                f"settings: {where} = {text!r}; expected module:expression, such as "
                f"myapp.tasks:get_owner().spawn, but {error.msg}. Mend the setting."
            ) from error
        return cls(match["module"], match["root"], match["rest"])


@dataclass(frozen=True)
class Replacements:
    """What to hand coroutines to, and what to await to have the focus set; None: ours, where the program has it."""

    spawner: Target | None = None
    focus: Target | None = None

    @classmethod
    def of(cls, config: Config) -> Replacements:
        """The replacements that a project's settings name."""
        return cls(
            None if config.spawner is None else Target.parsed(config.spawner, "spawner"),
            None if config.focus is None else Target.parsed(config.focus, "focus"),
        )

    def in_program(self, program: Program) -> Replacements:
        """These, or ours where none is named and the program contains or imports ours."""
        return Replacements(
            self.spawner or _if_known(Target.parsed(_SPAWNER, "spawner"), program),
            self.focus or _if_known(Target.parsed(_FOCUS, "focus"), program),
        )


def _if_known(target: Target, program: Program) -> Target | None:
    is_known = any(
        module.name == target.module or target.module in module.imported_packages for module in program.modules
    )
    return target if is_known else None
