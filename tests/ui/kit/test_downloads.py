"""Every press of a download button has a folder of its own, also after the system has removed temporary files."""

import os
import shutil
import time

from ui.kit.downloads import SECONDS_KEPT, PressFolders


def test_a_press_has_a_folder_of_its_own_until_it_is_old() -> None:
    folders = PressFolders("test")
    first, second = folders.new(), folders.new()
    assert first != second and not any(first.iterdir())
    old = time.time() - SECONDS_KEPT - 1
    os.utime(first, (old, old))
    folders.new()
    assert second.is_dir() and not first.exists()


def test_a_folder_that_the_system_has_removed_is_made_again() -> None:
    folders = PressFolders("test")
    everything = folders.new().parent
    shutil.rmtree(everything)
    assert folders.new().is_dir()
    assert everything.stat().st_mode & 0o777 == 0o700
