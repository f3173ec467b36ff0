"""The command `openhcs` as a shell sees it: output, exit codes, signals. Every test starts the real program."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pexpect
import psutil
import pytest

import openhcs
from openhcs.command_help import EXIT_CODES
from openhcs.core import paths
from openhcs.core.demo_plate import make_demo_plate, read_demo_truth
from openhcs.core.orchestrator import Run
from openhcs.core.progress import RunState

OPENHCS = (sys.executable, "-m", "openhcs")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for each test, and an empty current directory."""
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.delenv(paths.SETTINGS_VARIABLE, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return tmp_path / "home"


def openhcs_says(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the program to its end, expecting an exit code."""
    done = subprocess.run(
        [*OPENHCS, *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=300
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_without_arguments_it_says_what_it_can_do() -> None:
    """Bare `openhcs` lists its commands where there is no terminal to open the workbench in."""
    shown = subprocess.run(OPENHCS, capture_output=True, text=True, check=False)
    for command in ("tui", "demo", "run", "attach", "runs", "doctor", "version"):
        assert f" {command} " in shown.stdout


def test_settings_are_printed_with_where_they_come_from(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The document tells each value and its place; the text is a settings file that changes nothing."""
    file = home / "config" / "settings.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("workers: 1\n")
    monkeypatch.setenv("OPENHCS_RETRIES", "4")
    text = openhcs_says("settings").stdout
    document = json.loads(openhcs_says("settings", "--json").stdout)
    assert document["file"] == str(file)
    assert document["settings"]["workers"] == {"value": 1, "source": "file"}
    assert document["settings"]["retries"] == {"value": 4, "source": "environment"}
    assert document["settings"]["theme"] == {"value": "dark", "source": "default"}
    monkeypatch.delenv("OPENHCS_RETRIES")
    file.write_text(text)
    again = json.loads(openhcs_says("settings", "--json").stdout)["settings"]
    assert {name: known["value"] for name, known in again.items()} == {
        name: known["value"] for name, known in document["settings"].items()
    }


def test_a_wrong_variable_ends_a_command_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment says wrongly is an error in one line, with the variable to correct."""
    monkeypatch.setenv("OPENHCS_WORKERS", "many")
    assert "OPENHCS_WORKERS: 'many'" in openhcs_says("settings", code=2).stderr


def test_keys_are_printed_as_their_file() -> None:
    """`openhcs keys` needs no terminal and names every action with its key."""
    said = openhcs_says("keys")
    assert 'plates.run: ["r"]' in said.stdout
    assert said.stderr == ""


def test_what_the_keys_file_cannot_have_is_told(home: Path) -> None:
    """Beside the keys, and not among them, so that the text stays a keys file."""
    file = home / "config" / "keys.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("plates.add: x\nplates.nothing: Q\n")
    said = openhcs_says("keys")
    assert "line 1: x for plates.add is the key of plates.cancel as well" in said.stderr
    assert "line 2: plates.nothing is no action" in said.stderr
    assert "plates.nothing" not in said.stdout


def test_version_is_the_packages() -> None:
    """`openhcs version` and `openhcs --version` print the version of the package."""
    assert openhcs_says("version").stdout == f"openhcs {openhcs.__version__}\n"
    assert openhcs_says("--version").stdout == f"openhcs {openhcs.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "plate"), "Missing option '--pipeline'"),
        (("run", "--pipeline", "nuclei"), "Missing argument 'PLATE'"),
        (("run", "absent", "--pipeline", "nuclei"), "absent"),
        (("run", "absent", "--pipeline", "nuclie"), "one of: nuclei"),
        (("run", "absent", "--pipeline", "absent.yaml"), "absent.yaml"),
        (("run", ".", "--pipeline", "nuclei", "--wells", "A01;B02"), "expected wells (A01,B02)"),
        (("run", ".", "--pipeline", "nuclei", "--sites", "0"), "expected numbers from 1"),
        (("run", ".", "--pipeline", "nuclei", "--try", "0"), "--try"),
        (("run", ".", "--pipeline", "nuclei", "--workers", "0"), "--workers"),
        (("run", ".", "--pipeline", "nuclei"), "expected"),
        (("attach", "absent"), "absent"),
        (("tui", "--pipeline", "nuclie"), "one of: nuclei"),
        (("rnu",), "No such command"),
    ],
)
def test_what_cannot_be_used_is_one_message_and_exit_code_2(arguments: Sequence[str], words: str) -> None:
    """Bad input is told on standard error, without a traceback, and nothing is on standard output."""
    refused = openhcs_says(*arguments, code=2)
    assert words in refused.stderr
    assert refused.stdout == ""


def test_wrong_settings_stop_a_run(home: Path) -> None:
    """A mistyped setting is told before anything is processed."""
    (home / "config").mkdir(parents=True)
    (home / "config" / "settings.yaml").write_text("wokers: 3\n")
    assert "expected workers" in openhcs_says("run", ".", "--pipeline", "nuclei", code=2).stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    """`openhcs doctor | head` ends quietly, with the exit code a shell gives to a broken pipe."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run([*OPENHCS, "version"], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writer)
    assert done.returncode == 128 + signal.SIGPIPE
    assert done.stderr == ""


def test_output_that_cannot_be_written_is_one_message() -> None:
    """A full disk under standard output is told without a traceback, with an exit code of its own."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*OPENHCS, "version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == os.EX_IOERR
    assert done.stderr == "error: standard output cannot be written: No space left on device. Write it elsewhere.\n"


def test_each_exit_code_is_told() -> None:
    """The codes that `openhcs --help` lists are those that the README tells of."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    told = re.search(r"The exit code is (.+?)\.\n", readme, flags=re.DOTALL)
    assert told is not None
    assert [int(code) for code in re.findall(r"\b\d+\b", told[1])] == list(EXIT_CODES)


@pytest.mark.terminal
def test_leaving_the_workbench_waits_for_no_thread() -> None:
    """A thread of somebody's library that never ends does not hold the exit, nor change its code."""
    script = (
        "import sys, threading; from openhcs.cli import main; sys.argv = ['openhcs', 'tui'];"
        "threading.Thread(target=threading.Event().wait).start(); main()"
    )
    environment = {**os.environ, "TERM": "xterm-256color"}
    child = pexpect.spawn(sys.executable, ["-c", script], env=environment, dimensions=(24, 100), timeout=20)
    try:
        child.expect_exact("Quit")
        child.send("q")
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == 0
    finally:
        child.close(force=True)


def test_what_a_file_says_cannot_drive_the_terminal(tmp_path: Path) -> None:
    """Control characters in a pipeline are shown in the error, not sent."""
    (tmp_path / "odd.yaml").write_text('name: odd\nsteps:\n- {name: "ring\\a", function: blur}\n')
    refused = openhcs_says("run", ".", "--pipeline", str(tmp_path / "odd.yaml"), code=2)
    assert "ring\N{SYMBOL FOR BELL}" in refused.stderr
    assert "\a" not in refused.stderr


def test_names_that_are_not_text_are_refused(plate: Path, tmp_path: Path) -> None:
    """A folder whose name is not UTF-8 is named with what to do, as plate and as results folder."""
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd\xff"))
    shutil.copytree(plate, odd)
    assert "Rename the folder" in openhcs_says("run", str(odd), "--pipeline", "nuclei", code=2).stderr
    refused = openhcs_says("run", str(plate), "--pipeline", "nuclei", "--out", f"{odd}-out", code=2)
    assert "Choose another results folder" in refused.stderr


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo plate of two wells."""
    return make_demo_plate(tmp_path_factory.mktemp("plates") / "two-wells", wells=("B02", "B03"), sites=1).folder


def test_a_run_leaves_results_and_one_json_document(plate: Path, tmp_path: Path) -> None:
    """`run --json` prints the outcome and nothing else on standard output; `attach --json` says the same later."""
    out = tmp_path / "out"
    done = openhcs_says("run", str(plate), "--pipeline", "nuclei", "--out", str(out), "--workers", "2", "--json")
    document = json.loads(done.stdout)
    assert document["state"] == "finished"
    assert document["finished"] == document["total"] == 2
    assert Path(document["results"]) == out
    truth = read_demo_truth(plate)
    assert truth is not None
    for well in document["wells"]:
        assert well["objects"]["nuclei"] == pytest.approx(truth[well["well"]], rel=0.05)
        assert well["failure"] is None
    assert "two-wells: 2 wells with pipeline nuclei" in done.stderr

    attached = json.loads(openhcs_says("attach", str(out), "--json").stdout)
    assert attached["wells"] == document["wells"]
    assert attached["discrepancies"] == []

    table = openhcs_says("attach", str(out)).stdout
    assert "B02" in table
    assert str(out) in table


def test_a_well_that_fails_is_named_and_the_others_finish(plate: Path, tmp_path: Path) -> None:
    """A truncated image costs its well only: exit code 1, the cause in the document, results of the other well."""
    broken = tmp_path / "broken"
    shutil.copytree(plate, broken)
    image = next(path for path in sorted(broken.rglob("*B03*")) if path.suffix.lower() == ".tif")
    image.write_bytes(image.read_bytes()[:2000])
    done = openhcs_says("run", str(broken), "-p", "nuclei", "--out", str(tmp_path / "out"), "--json", code=1)
    wells = {well["well"]: well for well in json.loads(done.stdout)["wells"]}
    assert wells["B02"]["state"] == "finished"
    assert wells["B03"]["state"] == "failed"
    assert image.name in json.dumps(wells["B03"]["failure"])
    assert "B03 failed" in done.stderr


def test_only_the_wells_asked_for_are_run(plate: Path, tmp_path: Path) -> None:
    """`--wells b3` runs B03 alone; a well the plate lacks is refused."""
    arguments = ("run", str(plate), "--pipeline", "nuclei", "--out", str(tmp_path / "out"), "--json")
    document = json.loads(openhcs_says(*arguments, "--wells", "b3").stdout)
    assert [well["well"] for well in document["wells"]] == ["B03"]
    assert "H12" in openhcs_says(*arguments, "--wells", "H12", code=2).stderr


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start the program, and return when it has said that a run is going on."""
    started = subprocess.Popen(
        [*OPENHCS, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    assert started.stderr is not None
    assert re.search("2 wells with|Following", started.stderr.readline())
    return started


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_cancels_the_run(plate: Path, tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C, or a batch system's SIGTERM, ends the run and not only the command: exit code 130, journal cancelled."""
    out = tmp_path / "out"
    started = start("run", str(plate), "--pipeline", "nuclei", "--out", str(out), "--json")
    started.send_signal(number)
    printed, told = started.communicate(timeout=60)
    assert started.returncode == 130, told
    assert "Cancelling" in told
    assert json.loads(printed)["state"] == "cancelled"
    assert Run.attach(out).poll().state is RunState.CANCELLED


def test_a_second_ctrl_c_kills_the_run(plate: Path, tmp_path: Path) -> None:
    """Whoever cannot wait for the cancelling leaves no process behind."""
    out = tmp_path / "out"
    started = start("run", str(plate), "--pipeline", "nuclei", "--out", str(out), "--json")
    started.send_signal(signal.SIGINT)
    assert started.stderr is not None
    assert "Cancelling" in started.stderr.readline()
    started.send_signal(signal.SIGINT)
    _, told = started.communicate(timeout=60)
    assert started.returncode == 130, told
    attached = Run.attach(out)
    assert attached.poll().state is RunState.CANCELLED
    assert not attached.pid or not psutil.pid_exists(attached.pid)


def test_leaving_an_attached_run_lets_it_go_on(plate: Path, tmp_path: Path) -> None:
    """Whoever only watches a run cannot end it by leaving."""
    out = tmp_path / "out"
    owner = start("run", str(plate), "--pipeline", "nuclei", "--out", str(out), "--json")
    watcher = start("attach", str(out))
    watcher.send_signal(signal.SIGINT)
    watcher.communicate(timeout=60)
    assert watcher.returncode == 130
    printed, told = owner.communicate(timeout=120)
    assert owner.returncode == 0, told
    assert json.loads(printed)["state"] == "finished"


@pytest.mark.parametrize(
    ("name", "wells", "note"),
    [
        ("9987_Plate_3420", ["B02"], ""),
        ("9987_Plate_3434", ["B02", "B03"], "note: HTD says 4 waves, 3 found"),
        ("9987_Plate_3435", ["B02", "B03"], "note: HTD says 6 time points, 2 found"),
        ("SingleChannel", ["E07", "E08"], ""),
    ],
)
def test_real_plates_run(plates_folder: Path, tmp_path: Path, name: str, wells: list[str], note: str) -> None:
    """Plates as microscopes left them run to the end; what their metadata promises in vain is a note."""
    folder = plates_folder / "imagexpress" / name
    done = openhcs_says("run", str(folder), "--pipeline", "nuclei", "--out", str(tmp_path / "out"), "--json", "--csv")
    document = json.loads(done.stdout)
    assert [well["well"] for well in document["wells"]] == wells
    assert (tmp_path / "out" / "tables" / "counts.csv").read_text().startswith("plate,well,site,channel,z,t,")
    assert all(well["objects"]["nuclei"] > 0 for well in document["wells"])
    assert note in done.stderr
    assert bool(document["discrepancies"]) == bool(note)


@pytest.mark.terminal
def test_a_terminal_gets_a_bar_and_a_table(plate: Path, tmp_path: Path) -> None:
    """In a terminal the run is a bar that goes away, and then a table; NO_COLOR is kept to."""
    command = ["run", str(plate), "--pipeline", "nuclei", "--out", str(tmp_path / "out")]
    environment = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": "1"}
    child = pexpect.spawn(
        OPENHCS[0], [*OPENHCS[1:], *command], env=environment, dimensions=(24, 100), encoding="utf-8", timeout=120
    )
    child.logfile_read = shown = io.StringIO()
    for text in ("0/2 wells", "█", "2 of 2 wells finished", pexpect.EOF):
        child.expect(text)
    child.close()
    assert child.exitstatus == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", shown.getvalue())


def test_without_a_terminal_the_demo_compares_with_the_truth() -> None:
    """`openhcs demo` in a pipe runs its plate: every count is within 5 % of the truth, and the results stay."""
    done = openhcs_says("demo")
    table = done.stdout
    assert "Making the demo plate in demo-plate" in done.stderr
    rows = re.findall(r"^([A-H]\d\d) +finished +(\d+) +(\d+) ", table, flags=re.MULTILINE)
    assert len(rows) == 8
    for _, counted, truth in rows:
        assert int(counted) == pytest.approx(int(truth), rel=0.05)
    (results,) = re.findall(r"^Results: (.*)$", table, flags=re.MULTILINE)
    assert (Path(results) / "plate.zarr").is_dir()
    assert list((Path(results) / "tables").glob("*.parquet"))
