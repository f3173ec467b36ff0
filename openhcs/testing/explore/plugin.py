"""The pytest plugin: tests made by `@explore` run at a tier, replay a token, and say what was explored.

    pytest --explore-tier=nightly                      # wider budgets
    pytest tests/test_x.py::test_y --explore-replay=x1:fifo:c1f0r0s0:02:33
    pytest --explore-seconds=60 --explore-json=proofs.json

A test passes only if it is PROVED. CUT fails the commit and nightly tiers; at the weekly tier, and for a replay, pytest
reports a category of its own, so that nothing incomplete is counted as passed.
"""

from __future__ import annotations

import functools
import gc
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from openhcs.testing.explore.api import Exploration, explore_all, replay, sample
from openhcs.testing.explore.bounds import Tier
from openhcs.testing.explore.errors import ExploreError, TokenError
from openhcs.testing.explore.report import report_of
from openhcs.testing.explore.sampling import Method
from openhcs.testing.explore.search import Limits
from openhcs.testing.explore.token import Token
from openhcs.testing.explore.verdict import Outcome, Verdict

_PROPERTY: Final = "explore"
_LETTERS: Final = {Outcome.CUT: "c", Outcome.SAMPLED: "s", Outcome.REPLAYED: "r"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the explorer."""
    group = parser.getgroup("explore", "every interleaving of asyncio programs")
    group.addoption(
        "--explore-tier", choices=[tier.value for tier in Tier], default=Tier.COMMIT.value,
        help="how wide to explore: commit (the test's own budgets), nightly, weekly",
    )  # fmt: skip
    group.addoption("--explore-replay", metavar="TOKEN", help="run one schedule of the one selected test")
    group.addoption("--explore-seconds", type=float, metavar="S", help="give up on a test after so long: CUT")
    group.addoption("--explore-sample", type=int, metavar="N", help="draw N schedules by chance instead of all")
    group.addoption("--explore-seed", type=int, default=0, metavar="N", help="the seed of --explore-sample")
    group.addoption("--explore-json", type=Path, metavar="FILE", help="write what was explored")


def exploration_of(item: pytest.Item) -> Exploration | None:
    """What a test asks for, if `@explore` made it."""
    found = getattr(getattr(item, "obj", None), "exploration", None)
    return found if isinstance(found, Exploration) else None


def pytest_configure(config: pytest.Config) -> None:
    """Read the token before anything runs; gather the verdicts of this process or of its workers."""
    token = config.getoption("--explore-replay")
    if token is not None:
        try:
            Token.parse(token)
        except TokenError as error:
            raise pytest.UsageError(str(error)) from error
    config.pluginmanager.register(_Verdicts(config), "explore-verdicts")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A token belongs to one test."""
    if config.getoption("--explore-replay") is not None:
        explored = [item.nodeid for item in items if exploration_of(item) is not None]
        if len(explored) != 1:
            raise pytest.UsageError(
                f"--explore-replay replays one test: {len(explored)} are selected; expected the test that the report "
                "names. Give its full name"
            )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Freeze what was imported, once: else every exploration would look through it for garbage."""
    if any(exploration_of(item) is not None for item in session.items):
        gc.collect()
        gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Explore a scenario instead of calling it once."""
    plan = exploration_of(pyfuncitem)
    if plan is None or plan.scenario is None:
        return None
    fixtures = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    scenario = plan.scenario if pyfuncitem.instance is None else functools.partial(plan.scenario, pyfuncitem.instance)
    try:
        verdict = _explore(pyfuncitem.config, plan, lambda world: scenario(world=world, **fixtures), pyfuncitem.nodeid)
    except ExploreError as error:
        pytest.fail(f"{type(error).__name__}: {error}", pytrace=False)
    tier = Tier(pyfuncitem.config.getoption("--explore-tier"))
    pyfuncitem.user_properties.append((_PROPERTY, {**verdict.as_json(), "tier": tier.value}))
    broken = verdict.outcome is Outcome.VIOLATED or (verdict.outcome is Outcome.CUT and tier is not Tier.WEEKLY)
    if broken:
        command = f'pytest "{pyfuncitem.nodeid}" "--explore-replay={{token}}"'
        pytest.fail(report_of(verdict, command), pytrace=False)
    return True


def _explore(config: pytest.Config, plan: Exploration, scenario: Any, name: str) -> Verdict:
    token = config.getoption("--explore-replay")
    if token is not None:
        return replay(scenario, token, steps=plan.bounds.steps, name=name)
    seconds = config.getoption("--explore-seconds")
    limits = plan.limits if seconds is None else Limits(seconds, plan.limits.schedules)
    bounds = plan.bounds_at(Tier(config.getoption("--explore-tier")))
    drawn = config.getoption("--explore-sample")
    if drawn is not None:
        seed = config.getoption("--explore-seed")
        # Half and half: each method finds early what the other finds late.
        walks = sample(scenario, bounds, schedules=drawn - drawn // 2, seconds=seconds, seed=seed, name=name)
        if walks.outcome is Outcome.VIOLATED or drawn < 2:
            return walks
        return sample(
            scenario, bounds, schedules=drawn // 2, seconds=seconds, method=Method.PCT, seed=seed, name=name
        ).after(walks)
    return explore_all(scenario, bounds, limits, name=name)


def _found(report: pytest.TestReport) -> Mapping[str, Any] | None:
    return next((value for name, value in report.user_properties if name == _PROPERTY), None)  # type: ignore[return-value]


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
    """PROVED is passed; what is incomplete has a category of its own."""
    found = _found(report) if isinstance(report, pytest.TestReport) and report.when == "call" else None
    if found is None or not report.passed:
        return None
    outcome = Outcome(found["verdict"])
    if outcome is Outcome.PROVED:
        return "passed", ".", f"PROVED ({found['runs']:,})"
    return outcome.value.lower(), _LETTERS[outcome], f"{outcome} ({found['runs']:,})"


class _Verdicts:
    """What was explored in this session: said at its end, and written to a file."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._found: dict[str, Mapping[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the verdict of each test; with several processes they arrive here as well."""
        found = _found(report)
        if found is not None:
            self._found[report.nodeid] = found

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """One line in all, and one a test with -v."""
        if not self._found:
            return
        terminalreporter.section("explored schedules")
        if self._config.get_verbosity() > 0:
            for test, found in self._found.items():
                terminalreporter.line(f"{found['verdict']:9}{found['runs']:>10,}  {found['seconds']:>8.2f} s  {test}")
        counts = [found["verdict"] for found in self._found.values()]
        said = ", ".join(f"{counts.count(word)} {word}" for word in dict.fromkeys(counts))
        runs = sum(found["runs"] for found in self._found.values())
        seconds = sum(found["seconds"] for found in self._found.values())
        terminalreporter.line(f"{said}: {runs:,} schedules in {seconds:.2f} s")

    def pytest_sessionfinish(self) -> None:
        """Write what was explored."""
        target = self._config.getoption("--explore-json")
        # What pytest-xdist gives its workers, and has no other sign of; the process that they report to writes.
        if target is not None and not hasattr(self._config, "workerinput"):
            tests = [{"test": test, **found} for test, found in self._found.items()]
            target.write_text(json.dumps({"version": 1, "explored": tests}, indent=2) + "\n", encoding="utf-8")
