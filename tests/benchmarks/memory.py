"""Does the service need more memory the longer it runs? Its runs follow each other in seconds.

    memory.py [--runs 500] [--every 50] [--kinds person,memory]

A daemon as a process of its own backs up one small agent again and again; its clock is set on by a
minute after each run. Each time something has changed. Prints its resident memory by the way.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from workplace import SETTINGS, fill  # noqa: E402

from sync.sandbox import Sandbox, World  # noqa: E402

SERVICE = """
[service]
listen = "127.0.0.1:0"
[[schedule]]
cron = "* * * * *"
kinds = {kinds}
"""


def resident_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (size,) = (line.split()[1] for line in lines if line.startswith("VmRSS"))
    return int(size) / 1024


def measure(folder: Path, runs: int, every: int, kinds: list[str]) -> None:
    world = World.empty()
    agent = world.add_agent("Guide")
    fill(world, agent)
    (folder / "password").touch(mode=0o600)
    (folder / "password").write_text(world.account.password)
    with Sandbox(world) as sandbox:
        facts = {"url": sandbox.url, "assets": sandbox.url, "user": world.account.user_name}
        text = SETTINGS.format(**facts, database="sqlite:///mirror.db", retry_s=0)
        (folder / "aisuru-sync.toml").write_text(text + SERVICE.format(kinds=kinds))
        config = ["--config", str(folder / "aisuru-sync.toml")]
        clock = [sys.executable, str(HERE.parent / "daemon_clock.py"), "2026-01-01T00:00:00Z", "-"]
        daemon = subprocess.Popen(
            [*clock, "daemon", *config],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert daemon.stdin
        assert daemon.stderr
        began, done = time.monotonic(), 0
        for line in daemon.stderr:
            if "event=job.finished" not in line:
                continue
            assert "exit_code=0" in line, line
            done += 1
            if done % every == 0 or done == 1:
                took_s = time.monotonic() - began
                size = resident_mib(daemon.pid)
                sys.stdout.write(f"{done:5} runs {took_s:7.1f} s {size:7.1f} MiB\n")
                sys.stdout.flush()
            if done == runs:
                break
            with sandbox.lock:
                next(iter(agent.people.values()))["name"] = f"Name {done}"
            daemon.stdin.write("60\n")
            daemon.stdin.flush()
        daemon.terminate()
        daemon.communicate(timeout=60)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--kinds", default="", help="only these, with commas between")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name), args.runs, args.every, [*filter(None, args.kinds.split(","))])
