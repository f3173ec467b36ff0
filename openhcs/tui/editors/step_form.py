"""The form of a step, made from its draft: general fields, then each function of the chain with its parameters.

It is made anew when the chain changes; values stay in the draft. A field's row comes from the parameter's kind, so a
function's signature is its editor.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from openhcs.core.model import Component
from openhcs.core.parameters import REQUIRED, Parameter, ParameterKind
from openhcs.core.wording import value_text
from openhcs.tui.editors.step_draft import CallDraft, StepDraft
from openhcs.tui.ports import TaskSpawner
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.widgets.bindings import Binding
from openhcs.tui.widgets.form import ChoiceField, Field, Form, HeadingField, LineField, SwitchesField

__all__ = ["StepForm"]

_PLURALS: Final = {"z": "z planes", "t": "time points"}

COMPONENTS = tuple(Component)
GROUPS: tuple[Component | None, ...] = (None, *COMPONENTS)


class StepForm:
    """Makes the fields of `draft`.

    `pick(current)` asks for a function and puts it in place of `current`, or at the end of the chain for None;
    `add_group()` asks for a further group to have functions of its own;
    `rebuild(focus)` is called after a change that needs other fields, with the call whose heading gets the focus.
    """

    def __init__(
        self,
        draft: StepDraft,
        *,
        pick: Callable[[CallDraft | None], Coroutine[Any, Any, None]],
        add_group: Callable[[], Coroutine[Any, Any, None]],
        rebuild: Callable[[CallDraft | None], None],
        accept: Callable[[], None],
        tasks: TaskSpawner,
        tell: Callable[[str], None],
    ) -> None:
        self._draft = draft
        self._pick = pick
        self._add_group = add_group
        self._rebuild = rebuild
        self._tasks = tasks
        self._tell = tell
        self.headings: dict[CallDraft | None, HeadingField] = {}
        self.entry_field: Field | None = None
        self.form = Form([*self._general(), *self._functions()], on_enter=accept)

    # The step itself

    def _general(self) -> list[Field]:
        draft = self._draft

        def name(text: str) -> None:
            draft.name = text

        def enabled(_: int, value: bool) -> None:
            draft.enabled = value

        def stack(at: int, value: bool) -> None:
            draft.variable_components ^= {COMPONENTS[at]}

        def output(text: str) -> None:
            draft.output = text

        return [
            LineField(
                "Name",
                draft.name,
                name,
                problem=lambda: draft.name_problem,
                width=34,
                help="What the step is called in the pipeline, in messages and in the results.",
            ),
            SwitchesField(
                "Enabled",
                ("run this step",),
                lambda _: draft.enabled,
                enabled,
                help="A step that is not enabled stays in the pipeline and is left out of a run.",
            ),
            SwitchesField(
                "Stack of",
                [component.value for component in COMPONENTS],
                lambda at: COMPONENTS[at] in draft.variable_components,
                stack,
                help="Planes that differ only in these come to the functions together, as one stack. To project a "
                "z stack, stack z; to combine channels, stack channel.",
            ),
            LineField(
                "Output",
                draft.output,
                output,
                problem=lambda: draft.output_problem,
                hint=lambda: f"empty: {draft.default_output}" if draft.default_output else "nothing is kept by name",
                default=lambda: "",
                help="The name of the label image or the table that the functions write; later steps and the results "
                "know it by this name.",
            ),
            *self._grouping(),
        ]

    def _grouping(self) -> list[Field]:
        draft = self._draft

        def group(at: int) -> None:
            draft.group_by = GROUPS[at]
            self._rebuild(None)

        def split(at: int) -> None:
            draft.split_by_group(bool(at))
            self._rebuild(None)

        fields: list[Field] = [
            ChoiceField(
                "Group by",
                ["nothing", *(component.value for component in COMPONENTS)],
                lambda: GROUPS.index(draft.group_by),
                group,
                problem=lambda: draft.group_problem,
                help="Which component decides which functions a stack gets, where functions differ.",
            ),
            ChoiceField(
                "Functions",
                ["the same for all", f"by {draft.group_by or 'group'}"],
                lambda: int(draft.by_group),
                split,
                help="Whether every group gets the same functions, or each its own; a group without functions passes "
                "through as it is.",
            ),
        ]
        if draft.by_group:
            self.entry_field = self._entry()
            fields += [self.entry_field, self._groups()]
        return fields

    def _groups(self) -> Field:
        """Which groups have functions, and the keys to have one more or less."""
        draft = self._draft
        what = draft.group_by.value if draft.group_by is not None else "group"

        def remove() -> None:
            draft.remove_entry()
            self._rebuild(None)

        rows = [
            Binding(
                ("enter", "space", "a"), self._add_group, f"Add {what}", f"Give another {what} functions of its own."
            ),
            Binding(
                ("delete", "d"),
                remove,
                f"Remove {what}",
                f"Take this {what}'s functions away: it passes through then.",
                lambda: None if draft.function_count(draft.entry) else f"this {what} has no functions",
            ),
        ]
        return HeadingField(
            lambda: f"  {_PLURALS.get(what, f'{what}s')}",
            rows,
            tasks=self._tasks,
            refuse=self._tell,
            help=f"A {what} that has no functions passes through the step unchanged. Enter adds a {what}, Delete takes "
            "the functions of the one above away.",
        )

    def _overview(self) -> str:
        """Which groups have functions."""
        told = [visible(key) for key in self._draft.entries if self._draft.function_count(key)]
        return f"functions for {', '.join(told)}" if told else "no functions yet"

    def _entry(self) -> Field:
        draft = self._draft
        what = draft.group_by.value if draft.group_by is not None else "group"
        label = f"Edit {what}"
        help_text = f"The {what} whose functions stand below. Left and Right go to another."
        if draft.group_by is Component.CHANNEL and draft.entries:
            entries = draft.entries

            def choose(at: int) -> None:
                draft.entry = entries[at]
                self._rebuild(None)

            if draft.entry not in entries:
                draft.entry = entries[0]
            return ChoiceField(
                label,
                [visible(draft.entry_text(key)) for key in entries],
                lambda: entries.index(draft.entry),
                choose,
                hint=self._overview,
                help=help_text,
            )

        def go(text: str) -> None:
            if text.strip():
                draft.entry = text.strip()
                self._rebuild(None)

        return LineField(
            label,
            draft.entry,
            go,
            suggestions=draft.entries,
            hint=self._overview,
            help=f"Type the number of the {what} whose functions stand below; Ctrl-N goes to the next that has any.",
        )

    # Its functions

    def _functions(self) -> list[Field]:
        chain = self._draft.chain
        fields: list[Field] = []
        for place, call in enumerate(chain):
            fields.append(self._heading(place, call))
            fields += self._parameters(call)
        add = Binding(
            ("enter", "space", "a"), lambda: self._pick(None), "Add function", "Choose a function to run after these."
        )
        if chain:
            title = "  then"
        elif self._draft.by_group:
            title = f"  {self._draft.entry_text(self._draft.entry)} passes through unchanged"
        else:
            title = "  no function yet"
        self.headings[None] = HeadingField(
            lambda: visible(title),
            [add],
            tasks=self._tasks,
            refuse=self._tell,
            help="Enter adds a function at the end of the chain.",
        )
        return [*fields, self.headings[None]]

    def _heading(self, place: int, call: CallDraft) -> HeadingField:
        chain = self._draft.chain

        def remove() -> None:
            chain.remove(call)
            self._rebuild(chain[min(place, len(chain) - 1)] if chain else None)

        def move(by: int) -> None:
            chain.insert(place + by, chain.pop(place))
            self._rebuild(call)

        first = place == 0
        last = place == len(chain) - 1
        rows = [
            Binding(
                ("enter", "space", "c"), lambda: self._pick(call), "Change", "Choose another function for this place."
            ),
            Binding(
                ("s-up", "K"),
                lambda: move(-1),
                "Up",
                "Run this function earlier.",
                lambda: "this is the first function" if first else None,
            ),
            Binding(
                ("s-down", "J"),
                lambda: move(1),
                "Down",
                "Run this function later.",
                lambda: "this is the last function" if last else None,
            ),
            Binding(("delete", "d"), remove, "Remove", "Take this function out of the chain."),
        ]
        heading = HeadingField(
            lambda: f"{place + 1}. {visible(call.name)}",
            rows,
            tasks=self._tasks,
            refuse=self._tell,
            help=call.function.summary if call.function is not None else "",
            problem=lambda: "no such function" if call.function is None else None,
        )
        self.headings[call] = heading
        return heading

    def _parameters(self, call: CallDraft) -> list[Field]:
        fields = [self._stray(call, name) for name in call.strays]
        if call.function is None:
            return fields
        return fields + [self._parameter(call, parameter) for parameter in call.function.parameters]

    def _stray(self, call: CallDraft, name: str) -> Field:
        def remove() -> None:
            del call.parameters[name]
            self._rebuild(call)

        text = f"     {visible(name)} = {visible(value_text(call.parameters[name]))}"
        return HeadingField(
            lambda: text,
            [Binding(("delete", "d"), remove, "Remove", "Take this parameter away.")],
            tasks=self._tasks,
            refuse=self._tell,
            problem=lambda: f"not a parameter of {visible(call.name)}",
        )

    def _parameter(self, call: CallDraft, parameter: Parameter) -> Field:
        label = f"   {parameter.name}"
        help_text = _help_of(parameter)

        def problem() -> str | None:
            return call.problem(parameter)

        def hint() -> str:
            if parameter.name in call.parameters and parameter.default is not REQUIRED:
                return f"default {value_text(parameter.default)} (Ctrl-R)"
            return parameter.expected

        def reset() -> None:
            call.reset(parameter)

        if parameter.kind is ParameterKind.BOOL and not parameter.optional:
            return SwitchesField(
                label,
                ("yes",),
                lambda _: bool(call.value(parameter)),
                lambda _, value: call.set(parameter, value),
                help=help_text,
                problem=problem,
                hint=hint,
                reset=reset,
            )
        if parameter.kind in (ParameterKind.CHOICE, ParameterKind.BOOL):
            words: list[str | bool | None] = [*(parameter.choices or (True, False))]
            if parameter.optional:
                words.append(None)
            value = call.value(parameter)
            if value not in words and isinstance(value, str):
                words.insert(0, value)  # a wrong word in the file is shown, and can be left for a right one
            elif value is None and not parameter.optional:
                words.insert(0, None)
            return ChoiceField(
                label,
                [visible(value_text(word)) for word in words],
                lambda: next((i for i, word in enumerate(words) if word == call.value(parameter)), 0),
                lambda at: call.set(parameter, words[at]),
                help=help_text,
                problem=problem,
                hint=hint,
                reset=reset,
            )
        return self._line(call, parameter, label, help_text, problem, hint)

    def _line(
        self,
        call: CallDraft,
        parameter: Parameter,
        label: str,
        help_text: str,
        problem: Callable[[], str | None],
        hint: Callable[[], str],
    ) -> Field:
        default = "" if parameter.default is REQUIRED else value_text(parameter.default)

        def type_text(text: str) -> None:
            if text == default and parameter.default is not REQUIRED:
                call.reset(parameter)
            else:
                call.type_text(parameter, text)

        suggestions: tuple[str, ...] = ()
        if parameter.kind in (ParameterKind.LABELS, ParameterKind.TABLE):
            suggestions = self._draft.labels if parameter.kind is ParameterKind.LABELS else self._draft.tables
            known = ", ".join(visible(name) for name in suggestions)
            help_text = f"There is {known} (Ctrl-N). {help_text}" if known else f"There is none yet. {help_text}"

            def hint() -> str:
                text = call.text(parameter)
                if text in suggestions or not known or (parameter.optional and text in ("", "none")):
                    return known or parameter.expected
                return f"there is no {visible(text)}"

        return LineField(
            label,
            call.text(parameter),
            type_text,
            help=help_text,
            problem=problem,
            hint=hint,
            default=lambda: default,
            suggestions=suggestions,
        )


def _help_of(parameter: Parameter) -> str:
    """What a parameter means, what it takes, and its default."""
    default = "" if parameter.default is REQUIRED else f"; by default {value_text(parameter.default)}"
    words = parameter.help.strip()
    words = f"{words[:1].upper()}{words[1:]}{'' if words.endswith('.') else '.'} " if words else ""
    return f"{words}Takes {parameter.expected}{default}."
