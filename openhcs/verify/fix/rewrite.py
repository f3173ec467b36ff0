"""Makes edits in the text of a file, with LibCST: all that is not edited stays as it is, to the character.

The one module that imports LibCST, which takes about a sixth of a second; it is imported when a file gets a fix.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from string import Template
from typing import cast

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from openhcs.verify.fix.edits import Edit, Kind, NotRewritten

__all__ = ["rewritten"]

_Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement


def rewritten(text: str, edits: Sequence[Edit]) -> str:
    """The text of a file with the edits made in it. Its line endings may be any."""
    # LibCST has no lines that end with a carriage return alone.
    if "\r" in text and "\n" not in text:
        return _rewritten(text.replace("\r", "\n"), edits).replace("\n", "\r")
    return _rewritten(text, edits)


def _rewritten(text: str, edits: Sequence[Edit]) -> str:
    module = _parsed(text)
    if module.code == text:
        return _edited(module, text, edits)
    # LibCST drops empty lines next to lines of blanks only, behind a block: it gets them without their blanks.
    lines = text.split("\n")
    plain = [line if line.strip() else line.lstrip(" \t\f") for line in lines]
    blank = {number for number, (old, new) in enumerate(zip(lines, plain, strict=True), 1) if old != new}
    module = _parsed("\n".join(plain))
    if module.code != "\n".join(plain) or any(not blank.isdisjoint(edit.lines) for edit in edits):
        raise NotRewritten("LibCST does not keep its text")
    new = _edited(module, module.code, edits).split("\n")
    result: list[str] = []
    for kind, first, last, start, end in SequenceMatcher(None, plain, new, autojunk=False).get_opcodes():
        result += lines[first:last] if kind == "equal" else new[start:end]
    return "\n".join(result)


def _parsed(text: str) -> cst.Module:
    try:
        return cst.parse_module(text)
    except cst.ParserSyntaxError as error:
        raise NotRewritten(f"LibCST cannot parse it: {error.message}") from error


def _edited(module: cst.Module, text: str, edits: Sequence[Edit]) -> str:
    places = _Places(module, text, edits)
    return module.visit(_Rewriting(places, module.config_for_parsing, edits)).code


class _Places:
    """The nodes of LibCST at which edits and their holes are: `ast` counts bytes, LibCST characters."""

    def __init__(self, module: cst.Module, text: str, edits: Sequence[Edit]) -> None:
        self._lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        wanted = {self._begin(node) for edit in edits for node in (edit.at, *edit.holes.values())}
        self._at: dict[tuple[int, int], list[tuple[cst.CSTNode, CodeRange]]] = {}
        positions = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)
        for node, place in positions.items():
            begin = (place.start.line, place.start.column)
            if begin in wanted:
                self._at.setdefault(begin, []).append((node, place))

    def _begin(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        return node.lineno, self._column(node.lineno, node.col_offset)

    def _column(self, line: int, offset: int) -> int:
        text = self._lines[line - 1]
        return offset if text.isascii() else len(text.encode()[:offset].decode())

    def expression(self, node: ast.expr) -> cst.BaseExpression:
        """The expression at the place of `node`."""
        line = node.end_lineno or node.lineno
        end = (line, self._column(line, node.end_col_offset or 0))
        for found, place in self._at.get(self._begin(node), ()):
            if isinstance(found, cst.BaseExpression) and (place.end.line, place.end.column) == end:
                return found
        raise NotRewritten(f"line {node.lineno}: LibCST sees another expression")

    def statement(self, node: ast.stmt) -> cst.CSTNode:
        """The compound statement, or the part of a line between semicolons, that begins where `node` does."""
        for found, _ in self._at.get(self._begin(node), ()):
            if isinstance(found, cst.BaseCompoundStatement | cst.BaseSmallStatement):
                return found
        raise NotRewritten(f"line {node.lineno}: LibCST sees another statement")


class _Rewriting(cst.CSTTransformer):
    def __init__(self, places: _Places, config: cst.PartialParserConfig, edits: Sequence[Edit]) -> None:
        super().__init__()
        self._places = places
        self._config = config
        self._expressions: dict[cst.CSTNode, Edit] = {}
        self._statements: dict[cst.CSTNode, list[Edit]] = {}
        for edit in edits:
            if isinstance(edit.at, ast.expr):
                self._expressions[places.expression(edit.at)] = edit
            else:
                self._statements.setdefault(places.statement(edit.at), []).append(edit)

    # -- expressions ---------------------------------------------------------------------------------------------

    def on_leave(  # type: ignore[override]
        self, original_node: cst.CSTNode, updated_node: cst.CSTNode
    ) -> cst.CSTNode | cst.RemovalSentinel | cst.FlattenSentinel[cst.CSTNode]:
        edit = self._expressions.get(original_node)
        if edit is not None:
            if edit.kind is Kind.ARGUMENT:
                return _with_argument(cst.ensure_type(updated_node, cst.Call), self._parsed_argument(edit))
            return self._expression(edit, cast("cst.BaseExpression", original_node))
        return super().on_leave(original_node, updated_node)

    def _expression(self, edit: Edit, old: cst.BaseExpression) -> cst.BaseExpression:
        text, holes = self._filled(edit)
        new = self._parsed(text, holes)
        return new.with_changes(lpar=old.lpar, rpar=old.rpar) if old.lpar else new

    def _parsed(self, text: str, holes: Mapping[str, cst.BaseExpression]) -> cst.BaseExpression:
        return cast("cst.BaseExpression", cst.parse_expression(text, self._config).visit(_Fill(holes)))

    def _parsed_argument(self, edit: Edit) -> cst.Arg:
        call = cst.ensure_type(cst.parse_expression(f"f({edit.text})", self._config), cst.Call)
        return call.args[0]

    def _filled(self, edit: Edit) -> tuple[str, Mapping[str, cst.BaseExpression]]:
        """The text with a name for each hole, and the node each of these names stands for."""
        names = {hole: f"__hole_{hole}__" for hole in edit.holes}
        holes = {names[hole]: self._places.expression(node) for hole, node in edit.holes.items()}
        return Template(edit.text).substitute(names), holes

    # -- statements ----------------------------------------------------------------------------------------------

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        """Statements at the top of the file."""
        return updated_node.with_changes(body=self._block(original_node.body, updated_node.body))

    def leave_IndentedBlock(self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock) -> cst.BaseSuite:
        """Statements that are indented."""
        return updated_node.with_changes(body=self._block(original_node.body, updated_node.body))

    def leave_SimpleStatementSuite(
        self, original_node: cst.SimpleStatementSuite, updated_node: cst.SimpleStatementSuite
    ) -> cst.BaseSuite:
        """Statements on the line of their header get lines of their own when they are changed."""
        if not any(small in self._statements for small in original_node.body):
            return updated_node
        lines = [
            (cst.SimpleStatementLine([small]), cst.SimpleStatementLine([new.with_changes(semicolon=_NO_SEMICOLON)]))
            for small, new in zip(original_node.body, updated_node.body, strict=True)
        ]
        body = self._block([old for old, _ in lines], [new for _, new in lines])
        return cst.IndentedBlock(body, header=updated_node.trailing_whitespace)

    def _block(self, original: Sequence[cst.CSTNode], updated: Sequence[cst.CSTNode]) -> list[_Statement]:
        body: list[_Statement] = []
        carried: Sequence[cst.EmptyLine] = ()
        for old, node in zip(original, updated, strict=True):
            new = cast("_Statement", node)
            edits = [edit for part in _parts(old) for edit in self._statements.get(part, ())]
            if carried:
                new, carried = _below(carried, new), ()
            before = [self._statement(edit) for edit in edits if edit.kind is Kind.BEFORE]
            after = [self._statement(edit) for edit in edits if edit.kind is Kind.AFTER]
            core: _Statement | None = new
            for edit in edits:
                if core is not None:
                    core = self._changed(edit, old, core)
            if core is None:
                carried = new.leading_lines
            if before and core is not None:
                # What is put first takes the blank lines over, not the comments, which are about what they stand on.
                before[0], core = _share_lines(before[0], core)
            if after and core is not None and _is_docstring(core) and not body:
                after[0] = after[0].with_changes(leading_lines=[cst.EmptyLine(indent=False)])
            body += [*before, *([] if core is None else [core]), *after]
        if original and not body:
            body.append(cst.SimpleStatementLine([cst.Pass()]))
        return body

    def _changed(self, edit: Edit, old: cst.CSTNode, new: _Statement) -> _Statement | None:
        match edit.kind:
            case Kind.REMOVE:
                return None
            case Kind.AROUND:
                text, holes = self._filled(edit)
                inner = new.with_changes(leading_lines=[])
                return cst.If(
                    test=self._parsed(text, holes),
                    body=cst.IndentedBlock([inner]),
                    leading_lines=new.leading_lines,
                )
            case Kind.STATEMENT:
                return _in_place_of(new, self._statement(edit))
            case Kind.UNASSIGN:
                line = cst.ensure_type(new, cst.SimpleStatementLine)
                assign = cst.ensure_type(line.body[0], cst.Assign)
                return line.with_changes(body=[cst.Expr(assign.value)])
            case Kind.ADD_NAME | Kind.DROP_NAME:
                line = cst.ensure_type(new, cst.SimpleStatementLine)
                parts = [
                    _with_names(small, edit) if part is self._places.statement(cast("ast.stmt", edit.at)) else small
                    for part, small in zip(_parts(old), line.body, strict=True)
                ]
                kept = [part for part in parts if part is not None]
                return line.with_changes(body=kept) if kept else None
            case _:
                return new

    def _statement(self, edit: Edit) -> cst.SimpleStatementLine:
        text, holes = self._filled(edit)
        statement = cst.parse_statement(text, self._config).visit(_Fill(holes))
        return cst.ensure_type(statement, cst.SimpleStatementLine)


_NO_SEMICOLON = cst.MaybeSentinel.DEFAULT


class _Fill(cst.CSTTransformer):
    """Puts nodes where their names stand."""

    def __init__(self, holes: Mapping[str, cst.BaseExpression]) -> None:
        super().__init__()
        self._holes = holes

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        """A hole, or a name as it was."""
        hole = self._holes.get(original_node.value)
        return updated_node if hole is None else hole.deep_clone()


def _parts(node: cst.CSTNode) -> Sequence[cst.CSTNode]:
    return node.body if isinstance(node, cst.SimpleStatementLine) else [node]


def _is_docstring(node: cst.CSTNode) -> bool:
    if not isinstance(node, cst.SimpleStatementLine) or len(node.body) != 1:
        return False
    small = node.body[0]
    return isinstance(small, cst.Expr) and isinstance(small.value, cst.SimpleString | cst.ConcatenatedString)


def _share_lines(first: cst.SimpleStatementLine, second: _Statement) -> tuple[cst.SimpleStatementLine, _Statement]:
    lines = list(second.leading_lines)
    blank = 0
    while blank < len(lines) and lines[blank].comment is None:
        blank += 1
    return (
        first.with_changes(leading_lines=lines[:blank]),
        second.with_changes(leading_lines=lines[blank:]),
    )


def _below(lines: Sequence[cst.EmptyLine], statement: _Statement) -> _Statement:
    """A statement below the comments of one that has gone; blank lines are not doubled."""
    own = statement.leading_lines
    if not any(line.comment for line in lines) and own:
        return statement
    return statement.with_changes(leading_lines=[*lines, *own])


def _in_place_of(old: _Statement, new: cst.SimpleStatementLine) -> cst.SimpleStatementLine:
    """The new statement where the old one stood, with all its comments above it, or behind it as before."""
    if isinstance(old, cst.SimpleStatementLine):
        return new.with_changes(leading_lines=old.leading_lines, trailing_whitespace=old.trailing_whitespace)
    comments = [
        cst.EmptyLine(comment=comment)
        for comment in _comments_in(old.with_changes(leading_lines=[]))
        if not comment.value.startswith("# noqa")
    ]
    return new.with_changes(leading_lines=[*old.leading_lines, *comments])


def _comments_in(node: cst.CSTNode) -> Iterator[cst.Comment]:
    for child in node.children:
        if isinstance(child, cst.Comment):
            yield child
        else:
            yield from _comments_in(child)


def _with_argument(call: cst.Call, argument: cst.Arg) -> cst.Call:
    """A call with one more argument behind the others, on a line of its own where they have such."""
    if not call.args:
        return call.with_changes(args=[argument])
    *others, last = call.args
    comma = others[-1].comma if others else cst.MaybeSentinel.DEFAULT
    between = comma if isinstance(comma, cst.Comma) else _comma_like(call)
    kept = last.with_changes(comma=between, whitespace_after_arg=cst.SimpleWhitespace(""))
    # The last argument's comma, or the space before the closing bracket, is the new one's.
    new = argument.with_changes(comma=last.comma, whitespace_after_arg=last.whitespace_after_arg)
    return call.with_changes(args=[*others, kept, new])


def _comma_like(call: cst.Call) -> cst.Comma:
    if isinstance(call.whitespace_before_args, cst.ParenthesizedWhitespace):
        return cst.Comma(whitespace_after=call.whitespace_before_args)
    return cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))


def _with_names(small: cst.BaseSmallStatement, edit: Edit) -> cst.BaseSmallStatement | None:
    """An import statement with one name more, or less; None: it would import nothing."""
    if not isinstance(small, cst.Import | cst.ImportFrom) or isinstance(small.names, cst.ImportStar):
        raise NotRewritten("LibCST sees another import")
    names = list(small.names)
    if edit.kind is Kind.ADD_NAME:
        between = next(
            (item.comma for item in names[:-1] if isinstance(item.comma, cst.Comma)),
            cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")),
        )
        behind = (index for index, item in enumerate(names) if _sorted_last(item) and item.evaluated_name > edit.text)
        index = next(behind, len(names))
        new = cst.ImportAlias(cst.Name(edit.text), comma=between)
        if index == len(names):
            new = new.with_changes(comma=names[-1].comma)
            names[-1] = names[-1].with_changes(comma=between)
        names.insert(index, new)
        return small.with_changes(names=names)
    kept = [item for item in names if _bound(item) != edit.text]
    if not kept:
        return None
    if kept[-1] is not names[-1]:
        kept[-1] = kept[-1].with_changes(comma=names[-1].comma)
    return small.with_changes(names=kept)


def _sorted_last(alias: cst.ImportAlias) -> bool:
    """Whether a name is that of a function, which formatters put behind constants and classes."""
    return alias.evaluated_name[:1].islower()


def _bound(alias: cst.ImportAlias) -> str:
    if alias.asname is not None:
        return cst.ensure_type(alias.asname.name, cst.Name).value
    return alias.evaluated_name.partition(".")[0]
