"""The benchmarks run; their figures are for people to read, so only their shape is checked."""

import json
import os
import shutil

import pytest

from dayfly.bench.servers import BINARIES
from tests.conftest import Run


@pytest.fixture
def wrk() -> None:
    """Skip what needs the load generator where it is not installed; in CI that is an error."""
    if shutil.which("wrk") is None:
        assert "CI" not in os.environ, "CI must have wrk: apt-get install wrk"
        pytest.skip("wrk is not installed: apt-get install wrk")


@pytest.mark.usefixtures("wrk")
def test_the_http_bench_compares_both_targets(run: Run) -> None:
    """Every request of both is answered."""
    done = run("bench", "http", "--threads", "2,4", "--seconds", "1", "--rounds", "1", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [(row["threads"], row["target"]) for row in rows] == [
        (2, "baseline"),
        (2, "sandboxed"),
        (4, "baseline"),
        (4, "sandboxed"),
    ]
    assert all(row["rps"] > 0 and row["cpu_ns"] > 0 and row["failed"] == 0 for row in rows)
    assert all(row["ratio"] == 1 for row in rows if row["target"] == "baseline")


@pytest.mark.usefixtures("wrk")
def test_the_http_bench_prints_the_seeds_table(run: Run) -> None:
    """With all its columns."""
    done = run("bench", "http", "--threads", "1", "--seconds", "1", "--rounds", "1")
    assert done.returncode == 0, done.stderr
    for heading in ("threads", "avg", "p50", "p75", "p90", "p99", "requests/s", "transfer/s", "ratio"):
        assert heading in done.stdout


@pytest.mark.usefixtures("wrk")
def test_the_neighbour_bench_compares_every_neighbour(run: Run) -> None:
    """The victim answers beside each of them."""
    done = run("bench", "neighbours", "--rounds", "1", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["neighbour"] for row in rows] == ["alone", "spin", "busy", "bulk"]
    assert all(row["rps"] > 0 and row["failed"] == 0 for row in rows)


def test_the_limit_bench_ends_requests_at_their_limit(run: Run) -> None:
    """Never before it."""
    done = run("bench", "limits", "--requests", "3", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["guest"] for row in rows] == ["spin", "bulk"]
    assert all(row["min_us"] >= 0 for row in rows)


def test_the_isolation_bench_finds_no_difference(run: Run) -> None:
    """With either protection, whatever the other guests do."""
    done = run("bench", "isolation", "--requests", "3000", "--seed", "7", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["protection"] for row in rows] == ["userfault", "mprotect"]
    for row in rows:
        assert row["requests"] == 3000
        assert row["differing_answers"] == row["paranoid_differences"] == 0
        assert row["paranoid_checks"] > 0
        assert row["discards"] > 0


def test_nothing_that_a_python_program_spoils_reaches_another_request(run: Run) -> None:
    """Modules, classes, builtins, environment, files: what a request finds is what the first one found."""
    done = run("bench", "spoiling", "--requests", "1500", "--json")
    assert done.returncode == 0, done.stderr
    [row] = json.loads(done.stdout)
    assert (row["statuses"], row["parts"]) == ({"200": 1500}, 500)
    assert row["differing_answers"] == row["paranoid_differences"] == 0
    assert row["paranoid_checks"] >= 1500


@pytest.mark.usefixtures("wrk")
def test_the_tail_bench_takes_turns(run: Run) -> None:
    """With and without a sandbox."""
    done = run("bench", "tails", "--rounds", "1", "--seconds", "1", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["target"] for row in rows] == ["baseline", "sandboxed"]
    assert all(row["rps"] > 0 and row["failed"] == 0 for row in rows)


def test_the_connection_bench_counts_memory(run: Run) -> None:
    """Of as many connections as are asked for."""
    done = run("bench", "connections", "--connections", "300", "--seconds", "0.1", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert row["connections"] == 300


def test_the_restore_bench_times_every_guest(run: Run) -> None:
    """With the figures that scripts rely on."""
    done = run("bench", "restore", "--seconds", "0.01", "--json")
    assert done.returncode == 0, done.stderr
    for row in json.loads(done.stdout):
        assert {"guest", "call_ns", "restore_ns", "total_ns", "pages"} <= row.keys()


def test_a_missing_load_generator_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With how to install it."""
    monkeypatch.setenv("PATH", "/nowhere")
    done = run("bench", "http")
    assert done.returncode == 1
    assert done.stderr == "dayfly: the load generator `wrk` is not installed; apt-get install wrk\n"


@pytest.mark.parametrize("threads", ["0", "", "1,", "a", "-1"])
def test_a_wrong_number_of_threads_is_a_usage_error(run: Run, threads: str) -> None:
    """Exit code 2."""
    done = run("bench", "http", f"--threads={threads}")
    assert done.returncode == 2
    assert done.stderr.startswith(f"dayfly: --threads cannot be `{threads}`; allowed: numbers from 1")


@pytest.mark.usefixtures("flask_index")
def test_the_deploy_bench_times_every_step(run: Run) -> None:
    """Those that a tier has; what is made once does not count."""
    done = run("bench", "deploy", "--rounds", "1", "--json")
    assert done.returncode == 0, done.stderr
    hello, flask, compiled = json.loads(done.stdout)
    assert (hello["tier"], flask["target"], compiled["tier"]) == ("python", "flask, layer cached", "compiled")
    assert {"lock_ms", "layer_ms"} <= set(flask) - set(hello)
    assert compiled["build_ms"] > 0
    assert all(
        row["rounds"] == 1 and row["total_ms"] > 0 and row["image_bytes"] > 0 for row in (hello, flask, compiled)
    )


@pytest.fixture
def witness() -> None:
    """Skip what needs the clients of `bench/servers` where they are not built; in CI that is an error."""
    if not (BINARIES / "witness").exists():
        assert "CI" not in os.environ, "CI must have the clients: make bench-servers"
        pytest.skip("the clients are not built: make bench-servers")


@pytest.mark.usefixtures("witness")
def test_the_reload_bench_finds_nobody_who_noticed(run: Run) -> None:
    """Not one of the answers, by three kinds of clients."""
    done = run("bench", "reload", "--deploys", "5", "--requests", "500", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = json.loads(done.stdout)
    assert row["answers"] >= 500
    assert all(row[name] == 0 for name in ("failed", "lost", "closed", "refused", "mixed", "stale"))


@pytest.mark.usefixtures("witness")
def test_the_kill_bench_loses_only_what_is_in_flight(run: Run) -> None:
    """And nothing at an orderly end."""
    done = run("bench", "kill", "--rounds", "1", "--json")
    assert done.returncode == 0, done.stderr
    killed, stopped = json.loads(done.stdout)
    assert killed["back_ms"] > 0
    assert [row["failed"] + row["mixed"] + row["stale"] for row in (killed, stopped)] == [0, 0]
    assert stopped["lost"] == 0
