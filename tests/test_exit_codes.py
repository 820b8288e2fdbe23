"""What a run ends with where several things went wrong (design 9).

That each code comes when it should is tested where it comes from: `test_commands.py` for bad
input and signals, `test_backup_command.py` for 3, `test_locks.py` for 11, `test_lost_database.py`
for 8 in mid-run.
"""

import re

import pytest
from click.testing import CliRunner

from sync import errors
from sync.cli import cli
from sync.cli.door import Door
from sync.errors import SyncError, worst


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([], 0),
        ([0], 0),
        ([3, 0], 3),
        ([3, 5], 5),
        ([5, 8], 8),
        ([6, 3, 5], 6),
        ([6, 8], 8),
        ([8, 12, 3], 12),
        ([12, 5], 12),
        ([130, 12, 8], 130),
        ([143, 8], 143),
        ([1, 3], 1),
        ([2, 0], 2),
        ([11, 3], 11),
    ],
)
def test_the_gravest_of_several_codes_is_what_a_run_ends_with(codes: list[int], expected: int):
    assert worst(codes) == expected
    assert worst(reversed(codes)) == expected


def test_every_code_that_an_error_ends_with_is_in_the_help():
    known = [each for each in vars(errors).values() if isinstance(each, type)]
    codes = {each.exit_code for each in known if issubclass(each, SyncError)} | {0, 3, 143}
    told = CliRunner().invoke(cli, ["--help"], obj=Door()).output.partition("Exit codes:")[2]
    assert codes <= set(map(int, re.findall(r"\d+", told)))
