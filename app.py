"""Start Journey Arena: settings → services → page → launch."""

import argparse
import os
import signal
import sys
import tempfile

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
# Gradio asks matplotlib for its backend at every event. If it is unset, the first event imports pyplot: seconds.
os.environ.setdefault("MPLBACKEND", "agg")

from battles.guard import configured_guard
from common.errors import ArenaError
from common.paths import cache, home, on_space
from common.software import VERSION
from common.variables import unknown_variables
from eval.runs.recorded import unpack_recorded
from models.chat.endpoint import LOOPBACK
from models.config.plan import choose_pair
from models.config.registry import load_config
from models.serving.pair import ServedPair
from models.serving.server import check_port
from votes.backup.keeper import configured_keeper
from votes.casting.desk import Desk
from votes.store import Store
from votes.visitor import load_salt

ONLY_HERE = (
    "From other machines the page can be used to read, ask and vote. To start runs or take battles down from there, "
    "set JOURNEY_OWNER_KEY to a long word and enter it on the page."
)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve the page and both models.")
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"))
    parser.add_argument("--port", type=port_number, default=os.environ.get("GRADIO_SERVER_PORT", "7860"))
    return parser.parse_args()


def port_number(text: str) -> int:
    if not (text.isdecimal() and 0 < int(text) < 2**16):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number from 1 to 65535 (default: GRADIO_SERVER_PORT)")
    return int(text)


def main() -> None:
    # Imported late: worker processes import this file again and do not need gradio.
    from ui.kit.owner import OWNER_KEY
    from ui.layout import QUEUE, build_app, launch_options
    from ui.services import Services

    arguments = parse_arguments()
    own = (os.environ.get("no_proxy") or os.environ.get("NO_PROXY"), "127.0.0.1", "localhost")
    for name in ("no_proxy", "NO_PROXY"):  # gradio requests its own page at startup, which a proxy cannot reach
        os.environ[name] = ",".join(filter(None, own))
    # Gradio copies uploads and downloads to a folder that it would share with every user of the machine.
    copies = tempfile.TemporaryDirectory(prefix="journey-arena-")
    os.environ.setdefault("GRADIO_TEMP_DIR", copies.name)
    check_port(arguments.host, arguments.port)
    for sentence in unknown_variables():
        print(f"Note: {sentence}", flush=True)
    if arguments.host not in LOOPBACK and not on_space() and not os.environ.get(OWNER_KEY):
        print(f"Note: {ONLY_HERE}", flush=True)
    config = load_config()
    choice = choose_pair(config)
    served = ServedPair(config, choice.pair)
    salt = load_salt(home())  # first of all, since it explains the problem if nothing can be written there
    store = Store(home() / "votes.duckdb", spare=cache() / "journal")
    keeper = configured_keeper(store)
    desk = Desk(store, app_version=VERSION)
    services = Services(config, served, desk, store, home(), salt, keeper, configured_guard(), why=choice.why)
    unpack_recorded(home())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if keeper:
        keeper.start()
    served.start()
    try:
        app = build_app(services).queue(**QUEUE)
        app.launch(server_name=arguments.host, server_port=arguments.port, **launch_options(services))
    finally:
        if keeper:  # before the servers, which may take longer to stop than this process is given
            keeper.stop()
        served.stop()
        store.close()


if __name__ == "__main__":
    try:
        main()
    except ArenaError as error:
        sys.exit(f"\n{error}")
