"""AIsuru Sync: mirror AIsuru agents into SQL and files, and bring them back."""

from pathlib import Path

__version__ = "0.1.0"


def shipped(name: str, source: str) -> Path:
    """A folder that comes with the package: in a wheel inside it, in a checkout beside it.

    Args:
        name: what it is called inside the package.
        source: what it is called at the top of a checkout.
    """
    inside = Path(__file__).parent / name
    return inside if inside.is_dir() else Path(__file__).parents[1] / source
