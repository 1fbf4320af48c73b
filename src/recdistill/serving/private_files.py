"""Files that hold secrets: who may read them."""

from __future__ import annotations

import os
import stat


def is_private(status: os.stat_result) -> bool:
    """Whether nobody but their owner may read or change a file.

    What root gives us to read through our group is private too: that is how secrets are mounted into containers.
    """
    if os.name != "posix":
        return True
    given = status.st_uid == 0 and os.geteuid() != 0
    open_to = stat.S_IRWXO | (stat.S_IWGRP | stat.S_IXGRP if given else stat.S_IRWXG)
    return not status.st_mode & open_to
