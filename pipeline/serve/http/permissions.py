"""Permissions: parameters of routes, such as `Reviewer` and `Admin`, that check the role and give the client's name."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request

from pipeline.errors import StoreError
from pipeline.library.analysis.marks import user_name
from pipeline.library.index_handle import check_writable
from pipeline.serve.http.access_tokens import Role, allows
from pipeline.serve.http.problems import ProblemError
from pipeline.serve.served_library import Served, ServedLibrary

__all__ = ["Admin", "AdminReader", "Reviewer"]

_LOCAL = "local"
"""Name of a client that needs no token: the user of this machine."""


def _with_role(wanted: Role, *, writes: bool = True) -> Callable[[Request, ServedLibrary], str]:
    """Make a check that a request's token has a role and, if it writes, that the library can be written."""

    def client_name(request: Request, served: Served) -> str:
        state = request.scope.get("state", {})
        role: Role = state.get("role", "search")
        if not allows(role, wanted):
            raise ProblemError(
                HTTPStatus.FORBIDDEN,
                "role",
                f"this needs a token with the role {wanted}; yours has the role {role}",
            )
        try:
            if writes:
                check_writable(served.library.config.library)
        except StoreError as error:
            raise ProblemError(HTTPStatus.CONFLICT, "read_only", str(error)) from error
        name: str = state.get("client_name", _LOCAL)
        return user_name() if name == _LOCAL else name

    return client_name


Reviewer = Annotated[str, Depends(_with_role("review"))]
"""Name of a client that may write marks, cases and saved searches."""

Admin = Annotated[str, Depends(_with_role("admin"))]
"""Name of a client that may start and stop batches, and remove videos."""

AdminReader = Annotated[str, Depends(_with_role("admin", writes=False))]
"""Name of a client that may read what names files and settings of the server's machine."""
