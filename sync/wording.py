"""How things are said that several jobs and doors say. Pure."""


def counted(number: int, what: str) -> str:
    """How many of something: `1 file`, `2 files`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
