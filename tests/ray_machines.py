"""A Ray cluster of several machines, each of them processes on this one."""

from __future__ import annotations

import os
import time
from typing import Any

from own_process import MACHINES_SECONDS
from ray._private import services
from ray.cluster_utils import Cluster

__all__ = ["Machines"]


class Machines(Cluster):
    """Ray's cluster for tests, which waits for machines as long as a busy computer takes to start them.

    Ray itself waits for half a minute each time; where that cannot be set, what it waits for waits itself.

    Args:
        head: Options of the first machine.
    """

    def __init__(self, **head: Any) -> None:
        os.environ |= {"RAY_gcs_server_port_wait_time_s": str(MACHINES_SECONDS)}
        services.get_node = _awaited_node
        super().__init__(initialize_head=True, head_node_args=head)

    def wait_for_nodes(self, timeout: float = MACHINES_SECONDS) -> None:
        """Wait until the cluster has all machines that were started and not removed."""
        super().wait_for_nodes(timeout)

    def _wait_for_node(self, node: Any, timeout: float = MACHINES_SECONDS) -> None:
        super()._wait_for_node(node, timeout)


_node = services.get_node


def _awaited_node(gcs_address: str, node_id: str) -> Any:
    """What the cluster says of a machine, as soon as it knows it."""
    ends = time.monotonic() + MACHINES_SECONDS
    while True:
        try:
            return _node(gcs_address, node_id)
        except RuntimeError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)
