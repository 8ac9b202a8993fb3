"""The models that a server offers, for choosing one."""

from __future__ import annotations

import asyncio
from typing import Protocol, runtime_checkable

from perdure.backends.drivers import make_backend
from perdure.backends.errors import DriverMissing
from perdure.backends.protocol import BackendSpec, OfferedModel

MOST = 1000
"""Models of one server that are listed."""
_LONGEST_NAME = 200


@runtime_checkable
class _Lister(Protocol):
    async def offered(self) -> list[OfferedModel]: ...


async def offered_models(spec: BackendSpec) -> tuple[OfferedModel, ...]:
    """The server's models in its order; empty if it has no list.

    ``model`` of the spec plays no part and may be empty. One that cannot chat is left out where the
    server says so, as is one whose name cannot be shown or is very long: a name that was mended
    would be another model's. At most `MOST`.

    Raises:
        BackendError: as for opening the backend: unreachable, not accepted, too slow, no such
            server, a manifest that asks for what the driver does not have.
    """
    backend = make_backend(spec)
    if spec.disabled:
        # It refuses, and says why.
        await backend.open()
    if spec.driver == "embedded":
        return await asyncio.to_thread(_catalogue)
    if isinstance(backend, _Lister):
        return selectable(await backend.offered())
    raise DriverMissing(f"the driver {spec.driver} has no list of models")


def _catalogue() -> tuple[OfferedModel, ...]:
    from perdure.backends.store.catalogue import CATALOGUE, installed

    here = {found.model.name for found in installed() if found.sound}
    return tuple(
        OfferedModel(each.name, each.size, each.context_window, installed=each.name in here)
        for each in CATALOGUE.values()
    )


def selectable(models: list[OfferedModel]) -> tuple[OfferedModel, ...]:
    """The models with displayable names, each name once, at most `MOST`."""
    seen: dict[str, OfferedModel] = {}
    for model in models:
        name = model.name
        if 0 < len(name) <= _LONGEST_NAME and name.isprintable() and name == name.strip():
            seen.setdefault(name, model)
        if len(seen) == MOST:
            break
    return tuple(seen.values())
