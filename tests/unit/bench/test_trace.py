"""The figures of a path through the code, and which steps are recorded for it."""

import asyncio
import contextvars

import pytest

from bench.trace import __main__ as trace_program
from bench.trace import figures as counting
from bench.trace.figures import Figures, Step
from bench.trace.recorder import Recorder

ONE = """
import asyncio
from contextlib import contextmanager

async def run():
    with opened():
        await wait()
    return [double(n) for n in numbers()]

@contextmanager
def opened():
    yield

async def wait():
    await asyncio.sleep(0)
    await asyncio.sleep(0)
"""
TWO = """
def numbers():
    yield 1
    yield 2

def double(n):
    return sorted([n], key=weight)[0] * 2

def weight(n):
    return n
"""


def entered(*names):
    """Entries from texts like `a.py:function`."""
    return [Step(True, *name.split(":")) for name in names]


def back_in(file):
    return Step(False, file, "caller")


@pytest.fixture
def program(tmp_path):
    """Two files in a folder that counts, and the recorder of that folder."""
    functions = {}
    for name, source in (("one.py", ONE), ("two.py", TWO)):
        exec(compile(source, str(tmp_path / "ours" / name), "exec"), functions)
    return functions, Recorder(tmp_path, ["ours"])


def record(recorder, run):
    """The paths of tasks while `run` runs in a loop of its own."""

    async def recorded():
        recorder.begin()
        try:
            return await run()
        finally:
            recorder.end()

    contextvars.copy_context().run(asyncio.run, recorded())
    return list(recorder.steps.values())


def test_figures_count_a_file_entered_after_another_as_a_change():
    found = counting.figures(entered("a:f", "a:g", "b:h", "b:h", "a:f"))

    assert found == Figures(files=2, changes=2, changes_with_returns=2, functions=3, calls=5)


def test_figures_count_returns_apart():
    steps = [*entered("a:f", "b:h"), back_in("a"), *entered("b:h"), back_in("a"), back_in("a")]

    found = counting.figures(steps)

    assert found == Figures(files=2, changes=1, changes_with_returns=4, functions=2, calls=3)


def test_figures_of_an_empty_path_are_zero():
    assert counting.figures([]) == Figures(0, 0, 0, 0, 0)


def test_pairs_are_sorted_by_how_often_the_file_changes():
    steps = entered("a:f", "b:h", "c:k", "a:g", "b:h", "a:f", "b:h")

    assert counting.pairs(steps) == [
        (3, "a", "b", ["2 f -> h", "1 g -> h"]),
        (1, "b", "c", ["1 h -> k"]),
        (1, "c", "a", ["1 k -> g"]),
        (1, "b", "a", ["1 h -> f"]),
    ]


def test_lines_have_a_file_each_with_its_functions_in_order():
    steps = [*entered("a:f", "a:g", "a:g", "b:h"), back_in("a"), *entered("a:f")]

    assert counting.lines(steps) == ["a: f, g x2", "b: h", "a: f"]


def test_shortest_takes_of_each_path_the_one_with_the_fewest_calls():
    short, long = entered("a:f"), entered("a:f", "b:h")

    found = trace_program.shortest(
        [{"batch": short, "relay": long}, {"batch": long, "relay": short}]
    )

    assert found == {"batch": short, "relay": short}


def test_budget_is_exceeded_by_a_higher_figure_only():
    budget = {"batch_files": 60, "batch_changes": 200}

    assert counting.above({"batch_files": 60, "batch_changes": 100}, budget) == []
    assert counting.above({"batch_files": 61, "batch_changes": 100}, budget) == [
        "batch_files: 60 accepted, now 61"
    ]


def test_budget_is_lowered_and_never_raised():
    assert counting.lowered({"files": 50, "changes": 300}, {"files": 60, "changes": 200}) == {
        "files": 50,
        "changes": 200,
    }


def test_judge_fails_where_a_figure_is_above_the_budget_and_ends_with_the_figures(capsys):
    found = {"batch_files": 61, "batch_changes": 100}

    assert trace_program.judge(found, {"batch_files": 61, "batch_changes": 100}) == 0
    assert trace_program.judge(found, {"batch_files": 60, "batch_changes": 100}) == 1

    last = "trace: batch_files=61 batch_changes=100"
    more = "more than accepted: batch_files: 60 accepted, now 61"
    assert capsys.readouterr().out.splitlines() == [last, more, last]


def test_budget_has_every_figure_of_both_paths():
    paths = {"batch": entered("a:f"), "relay": entered("a:f")}

    assert counting.load_budget().keys() == counting.flat(paths).keys()


def test_recorder_counts_an_entry_for_each_call_and_none_for_an_await_that_continues(program):
    functions, recorder = program

    [steps] = record(recorder, functions["run"])

    assert [(step.file, step.function) for step in steps if step.is_entry] == [
        ("ours/one.py", "run"),
        ("ours/one.py", "opened"),
        ("ours/one.py", "wait"),
        ("ours/two.py", "numbers"),
        ("ours/two.py", "double"),
        ("ours/two.py", "weight"),
        ("ours/two.py", "double"),
        ("ours/two.py", "weight"),
    ]


def test_recorder_counts_returns_and_generators_that_continue_as_control_in_their_file(program):
    functions, recorder = program

    [steps] = record(recorder, functions["run"])

    # numbers(), double(1), numbers(), double(2), numbers(): to two.py and back, five times.
    assert counting.figures(steps).changes_with_returns == 10


def test_recorder_separates_the_paths_of_tasks(program):
    functions, recorder = program

    async def run():
        await asyncio.gather(*(asyncio.create_task(functions["wait"]()) for _ in range(2)))

    paths = record(recorder, run)

    assert [[step.function for step in steps] for steps in paths] == [["wait"], ["wait"]]


def test_recorder_reports_each_time_that_a_task_suspends(program):
    functions, recorder = program
    suspended = []
    recorder.waits = suspended.append

    record(recorder, functions["wait"])

    assert suspended == [0, 0]
