"""README tells the truth: its commands exist, its queries run, its tables are the program's."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from click import Context
from workplace import Workplace

from sync.cli import _COMMANDS, cli, run
from sync.cli.kinds import restored
from sync.errors import SyncError
from sync.history import DIFFERENT
from sync.kinds import KINDS
from sync.sandbox import demo_world
from sync.snapshot import GUARDED, PARTIAL
from sync.status import TOO_OLD

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def fenced(language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", README, re.DOTALL | re.MULTILINE)


def rows(header: str) -> list[list[str]]:
    table = README.split(header, 1)[1].split("\n\n", 1)[0]
    lines = [each for each in table.splitlines() if each.startswith("|") and "---" not in each]
    return [[cell.strip() for cell in each.strip("|").split("|")] for each in lines]


def test_every_command_stands_in_the_table_with_its_options():
    told = {row[0].strip("`").removeprefix("aisuru-sync ") for row in rows("| command | does |")}
    names = {each.split(" ")[0] for each in told}
    assert names == set(_COMMANDS)
    for usage in told:
        command = cli.get_command(Context(cli), usage.split()[0])
        if usage.startswith("config "):
            command = command.commands[usage.split()[1]]
        options = {opt for each in command.params for opt in each.opts}
        assert set(re.findall(r"--[a-z-]+", usage)) <= options


def test_every_command_line_in_a_block_is_understood(capsys):
    lines = re.findall(r"^ *aisuru-sync ([^#\n]*)", "\n".join(fenced("sh")), re.MULTILINE)
    assert lines
    for line in lines:
        assert run([*line.split(), "--help"]) == 0


def test_the_table_of_kinds_is_the_registry():
    told = {row[0].strip("`"): row[1:] for row in rows("| kind | of | what | restored |")}
    assert told == {each.name: [each.scope, each.about, restored(each)] for each in KINDS.values()}


def test_the_table_of_exit_codes_knows_every_error():
    told = {int(code) for row in rows("| exit code | means |") for code in row[0].split(",")}
    codes, todo = set(), [SyncError]
    while todo:
        error = todo.pop()
        codes.add(error.exit_code)
        todo += error.__subclasses__()
    assert codes | {0, PARTIAL, GUARDED, TOO_OLD, DIFFERENT, 143} == told


def test_the_two_command_lines_that_work_anywhere_are_there():
    assert (
        "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/aisuru-sync demo" in README
    )
    assert "python3 -m venv .venv && .venv/bin/pip install '.[test]' && .venv/bin/pytest" in README


def test_every_query_runs_on_both_databases_and_finds_something(
    workplace: Workplace, serve, database
):
    workplace.database = database
    with serve(demo_world()) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
    queries = fenced("sql")
    assert len(queries) >= 4
    engine = sa.create_engine(database)
    with engine.connect() as connection:
        for query in queries:
            assert connection.execute(sa.text(query)).all(), query
    engine.dispose()


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"])
def test_what_it_points_to_is_there(name: str):
    assert (Path(__file__).parents[1] / name).is_file()
