"""`aisuru-sync daemon`: the service."""

import os
import signal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sync.cli.door import Door, Reply, make_command
from sync.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from sync.api.ping import Ping
    from sync.app import App


@make_command(name="daemon", short_help="Do what the schedule says, until it is stopped.")
def command(door: Door) -> Reply:
    """Do what the schedule says, one job after another, until it is stopped.

    Runs in the foreground, for systemd or for a try. SIGTERM or Ctrl-C ends it with exit code 0,
    everything seen committed; SIGHUP reads the settings again, and keeps the old ones if the new
    ones are wrong. What was missed while it did not run is made up for once.

    Shows how it is at /healthz and /metrics of `listen` in [service].
    """
    from sync import config as settings
    from sync.api.ping import Ping
    from sync.daemon import Daemon
    from sync.systemd import Systemd

    door.level = door.level or "info"
    # Settings that are not used after all must not change it.
    log_format = door.config().service.log_format

    def load() -> "tuple[App, Ping]":
        app = door.app(log_format=log_format)
        app.credentials()
        url = settings.ping_url(app.config, os.environ)
        door.redact.learn(url.rstrip("/"))
        door.redact.learn(urlsplit(url).path.strip("/"))
        if not app.config.schedule:
            raise UsageError("there is no [[schedule]]", "see the comments of the sample")
        return app, Ping(url)

    daemon = Daemon(load, door.stop, Systemd(os.environ))
    before = signal.signal(signal.SIGHUP, lambda *_: daemon.ask_to_reload())
    try:
        daemon.run()
    except Interrupted:
        return Reply(data={"jobs": daemon.jobs_done}, text=["stopped"], trouble=())
    finally:
        signal.signal(signal.SIGHUP, before)
