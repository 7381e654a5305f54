import json
import subprocess
import sys

import pytest

from gradcheck.engine.threads import (
    BLAS_THREADS,
    HUGE_PAGES,
    OWN_THREADS,
    one_thread,
    settle_threads,
    threads,
    wait_asleep,
)

EVERY = (OWN_THREADS, *BLAS_THREADS)


@pytest.fixture
def environment(monkeypatch):
    """Variables ↦ an environment that has these of the threads' and no others."""

    def replaced(**variables):
        variables = dict(variables)
        monkeypatch.setattr("os.environ", variables)
        return variables

    return replaced


@pytest.fixture
def cores(monkeypatch):
    """A number of cores ↦ a machine that has so many."""

    def machine(count):
        monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(count)), raising=False)

    return machine


@pytest.mark.parametrize("variable", EVERY)
def test_a_command_takes_the_threads_that_the_environment_gives_and_leaves_blas_one(variable, environment):
    found = environment(**{variable: "3"})
    settle_threads()
    assert {name: found[name] for name in EVERY} == {OWN_THREADS: "3", **dict.fromkeys(BLAS_THREADS, "1")}


@pytest.mark.parametrize("count", [1, 7])
def test_a_command_takes_all_cores_where_the_environment_says_nothing(count, environment, cores):
    cores(count)
    found = environment()
    settle_threads()
    assert {name: found[name] for name in EVERY} == {OWN_THREADS: str(count), **dict.fromkeys(BLAS_THREADS, "1")}


def test_a_machine_that_does_not_tell_its_affinity_is_asked_for_its_cores(environment, monkeypatch):
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 5)
    found = environment()
    settle_threads()
    assert found[OWN_THREADS] == "5"


@pytest.mark.parametrize(("said", "taken"), [("0", "1"), ("-2", "4"), ("many", "4"), ("", "4"), ("2", "2"), ("²", "4")])
def test_what_is_no_number_of_threads_is_passed_over_and_there_is_always_one(said, taken, environment, cores):
    cores(4)
    found = environment(OMP_NUM_THREADS=said)
    settle_threads()
    assert found[OWN_THREADS] == taken


def test_what_is_said_of_the_engine_goes_before_what_is_said_of_blas(environment):
    found = environment(**{OWN_THREADS: "2", "OPENBLAS_NUM_THREADS": "8", "OMP_NUM_THREADS": "4"})
    settle_threads()
    assert found[OWN_THREADS] == "2"


def test_settling_twice_is_settling_once(environment, cores):
    cores(4)
    found = environment(OPENBLAS_NUM_THREADS="3")
    settle_threads()
    once = dict(found)
    settle_threads()
    assert found == once
    assert threads() == 3


def test_whatever_else_is_in_the_environment_stays(environment, cores):
    cores(4)
    found = environment(HOME="/home/me", GRADCHECK_SOMETHING="5")
    settle_threads()
    assert set(found) == {"HOME", "GRADCHECK_SOMETHING", HUGE_PAGES, *EVERY}
    assert found["GRADCHECK_SOMETHING"] == "5"


@pytest.mark.parametrize(("said", "taken"), [({}, "0"), ({HUGE_PAGES: "1"}, "1")])
def test_a_command_does_without_huge_pages_unless_the_environment_says_otherwise(said, taken, environment):
    found = environment(**said)
    settle_threads()
    assert found[HUGE_PAGES] == taken


def test_one_of_several_processes_has_one_thread(environment, cores):
    cores(4)
    found = environment()
    one_thread()
    assert found == dict.fromkeys(EVERY, "1")


@pytest.mark.parametrize("variable", EVERY)
def test_one_of_several_processes_keeps_the_threads_that_it_is_given(variable, environment):
    found = environment(**{variable: "3"})
    one_thread()
    assert found == dict.fromkeys(EVERY, "1") | {OWN_THREADS: "3"}


def test_one_of_several_processes_passes_over_what_is_no_number_of_threads(environment, cores):
    cores(4)
    found = environment(OMP_NUM_THREADS="many")
    one_thread()
    assert found == dict.fromkeys(EVERY, "1")


def test_threads_are_settled_before_numpy_is_loaded():
    program = (
        "import json, os, sys; from gradcheck.engine.threads import settle_threads; settle_threads(); "
        f"print(json.dumps(['numpy' in sys.modules, [os.environ[name] for name in {EVERY}]]))"
    )
    environment = dict.fromkeys(EVERY, "2")
    said = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True).stdout
    assert json.loads(said) == [False, ["2", "1", "1", "1"]]


@pytest.mark.parametrize(("said", "policy"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_threads_of_pytorch_sleep_while_they_wait_unless_the_environment_says_otherwise(said, policy, environment):
    variables = environment(**said)
    wait_asleep()
    assert variables["OMP_WAIT_POLICY"] == policy
