"""Find and load plugins, and collect what they register.

`plugin: x` is the module `sara_x`: beside sara.yaml in `plugins/` (a folder or a file), else installed with an entry point `x`
in the group `sara`, else bundled. Only plugins that sara.yaml names are loaded.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, distribution, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pluggy
import structlog
from pydantic import BaseModel

from sara.domain.errors import PluginError, WrongType
from sara.domain.problems import ProblemReporter
from sara.plugins import hookspecs
from sara.plugins.base import PluginObject
from sara.plugins.call_guard import PluginCallAborted, describe_failure, guarded_call
from sara.plugins.channel import Channel
from sara.plugins.file_permissions import find_writable
from sara.plugins.queue import Queue
from sara.plugins.responder import Responder
from sara.plugins.simulator import Simulator
from sara.plugins.store import Store
from sara.plugins.type_check import wrong_type

if TYPE_CHECKING:
    from sara.domain.options import Options


log = structlog.get_logger("sara.plugins.loader")

Kind: TypeAlias = Literal["channel", "responder", "store", "queue"]
Origin: TypeAlias = Literal["folder", "installed", "bundled"]

REGISTER_HOOKS: Mapping[str, str] = {
    "channel": "register_channels",
    "responder": "register_responders",
    "store": "register_stores",
    "queue": "register_queues",
}
CONTRACTS: Mapping[str, type[PluginObject]] = {"channel": Channel, "responder": Responder, "store": Store, "queue": Queue}
ENTRY_POINT_GROUP = "sara"
SIMULATORS = "simulators"
"""The bundled plugin that brings the simulators of the bundled channel and responder."""
DISTRIBUTION = "sara-daemon"


@dataclass(frozen=True, slots=True)
class PluginLocation:
    """The place of a plugin: its short name, its origin, and its path or module."""

    name: str
    origin: Origin
    where: str


class Plugins:
    """The plugins that one configuration file can name."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._loaded: dict[str, ModuleType] = {}
        self._errors: dict[str, PluginError] = {}
        self.manager = pluggy.PluginManager("sara")
        self.manager.add_hookspecs(hookspecs)

    def available(self) -> dict[str, list[PluginLocation]]:
        """Return every plugin that could be named, the one that is used first."""
        return self._found

    @functools.cached_property
    def _found(self) -> dict[str, list[PluginLocation]]:
        # Looked for once: to read what all installed packages offer takes longer than the rest of a short command.
        found: dict[str, list[PluginLocation]] = {}
        installed = _installed()
        for each in [*self._in_folder(installed), *installed]:
            places = found.setdefault(each.name, [])
            if all(each.where != known.where for known in places):
                places.append(each)
        return dict(sorted(found.items()))

    def load(self, name: str) -> ModuleType:
        """Import a plugin once and register its hooks. Raises PluginError, the same one at each call."""
        if name in self._errors:
            raise self._errors[name]
        if name not in self._loaded:
            try:
                self._loaded[name] = self._load(name)
            except PluginError as error:
                self._errors[name] = error
                raise
        return self._loaded[name]

    def plugin_class(self, kind: Kind, name: str) -> type[PluginObject]:
        """Return the class that the plugin `name` registers for a section of `kind`. Raises PluginError."""
        module = self.load(name)
        try:
            classes = guarded_call(_registered, module, REGISTER_HOOKS[kind])
        except (PluginCallAborted, WrongType) as error:
            raise PluginError(f"the plugin {name} {describe_failure(error)} in `{REGISTER_HOOKS[kind]}`") from error
        except Exception as error:
            raise PluginError(f"the plugin {name} could not be set up: {type(error).__name__}: {error}") from error
        if len(classes) != 1:
            brings = "no" if not classes else str(len(classes))
            raise PluginError(f"the plugin {name} brings {brings} {kind}; it must bring one to be named here")
        try:
            fault = guarded_call(_fault_of_class, kind, classes[0])
        except Exception as error:
            raise PluginError(
                f"the {kind} of the plugin {name} {describe_failure(error)} when its class was looked at"
            ) from error
        if fault:
            raise PluginError(f"the {kind} of the plugin {name} {fault}")
        brought: type[PluginObject] = classes[0]
        return brought

    def options_of(self, kind: str, name: str) -> type[Options]:
        """Return the options that a section of `kind` with `plugin: name` takes. Raises PluginError."""
        return self.plugin_class(kind, name).Options  # type: ignore[arg-type]  # the loader passes the four kinds

    def registered(self, hook: str, problems: ProblemReporter) -> list[tuple[str, Any]]:
        """Return what the loaded plugins register by a hook, each with its plugin's name; report the failing ones as problems."""
        found = []
        for implementation in _implementations(self.manager, hook):
            name = implementation.plugin_name
            try:
                register: Any = implementation.function
                found += [(name, each) for each in guarded_call(_listed, register)]
            except Exception as error:
                log.error("plugin_failed", plugin=name, hook=hook, told=describe_failure(error))
                problems.report(
                    f"plugin:{name}:{hook}",
                    f"the plugin {name} {describe_failure(error)} in its hook {hook}",
                    "update or remove the plugin",
                )
        return found

    def simulator_class(self, name: str) -> type[Simulator]:
        """Return the simulator that plays the provider of the plugin `name`: the plugin's own, otherwise a bundled one.

        Raises PluginError.
        """
        for source in dict.fromkeys((name, SIMULATORS)):
            register = getattr(self.load(source), "register_simulators", None)
            try:
                found = {} if register is None else guarded_call(register)
            except Exception as error:
                raise PluginError(f"the plugin {source} {describe_failure(error)} in `register_simulators`") from error
            if name in found:
                simulator: type[Simulator] = found[name]
                return simulator
        raise PluginError(f"the plugin {name} has no simulator")

    def names(self) -> list[str]:
        """Return the names of the plugins loaded so far."""
        return sorted(self._loaded)

    def _load(self, name: str) -> ModuleType:
        places = self.available().get(name)
        if not places:
            from sara.domain.suggestions import suggest

            found = list(self.available())
            near = suggest(name, found)
            known = ", ".join(found) or "none"
            raise PluginError(f"there is no plugin {name}; {f'{near} Those' if near else 'those'} found are: {known}")
        winner = places[0]
        if winner.origin == "folder" and os.geteuid() == 0 and (other := find_writable(Path(winner.where), root=True)):
            raise PluginError(f"the plugin {name} is not loaded: {other}, and this is root; {other.mend}")
        if len(places) > 1:
            log.info(
                "plugin_shadowed",
                plugin=name,
                used=winner.origin,
                path=winner.where,
                instead_of=[each.origin for each in places[1:]],
            )
        try:
            if winner.origin == "folder":
                module = guarded_call(_import_path, name, Path(winner.where))
            else:
                module = guarded_call(_import_installed, winner.where)
        except PluginCallAborted as error:
            raise PluginError(f"the plugin {name} could not be imported: it {error}") from error
        except Exception as error:
            raise PluginError(f"the plugin {name} could not be imported: {type(error).__name__}: {error}") from error
        try:
            guarded_call(self.manager.register, module, name=name)
            self.manager.check_pending()
        except PluginCallAborted as error:
            raise PluginError(f"the plugin {name} {error} when its hooks were looked for") from error
        except pluggy.PluginValidationError as error:
            if self.manager.has_plugin(name):
                self.manager.unregister(name=name)
            raise PluginError(
                f"the plugin {name} implements a hook that SARA does not have, or not like this: {error}"
            ) from error
        return module

    def _in_folder(self, installed: Sequence[PluginLocation]) -> list[PluginLocation]:
        if self._folder is None or not self._folder.is_dir():
            return []
        found = []
        for entry in sorted(self._folder.iterdir()):
            package = entry.is_dir() and (entry / "__init__.py").is_file()
            name = (entry.name if package else entry.stem).removeprefix("sara_")
            # Whatever else lies there (editors' and file managers' leavings, what was renamed to be out of the way) is no plugin.
            if name.isidentifier() and (package or (entry.suffix == ".py" and entry.is_file())):
                found.append(_folder_or_bundled(name, entry / "__init__.py" if package else entry, installed))
        return found


def _folder_or_bundled(name: str, path: Path, installed: Sequence[PluginLocation]) -> PluginLocation:
    """Return the location of a plugin in the folder, or the bundled one where both are the same path.

    In a checkout, `plugins/` beside sara.yaml holds the bundled plugins themselves.
    """
    bundled = next((each for each in installed if each.name == name and each.origin == "bundled"), None)
    if bundled is not None and _origin_of(bundled.where) == path.resolve():
        return bundled
    return PluginLocation(name, "folder", str(path))


def _origin_of(module: str) -> Path | None:
    """Return the file that an installed module would be imported from, regardless of the module loaded under its name."""
    spec = PathFinder.find_spec(module)
    return Path(spec.origin).resolve() if spec is not None and spec.origin is not None else None


def _import_installed(name: str) -> ModuleType:
    """Import an installed module, replacing one of that name that an earlier configuration loaded from a folder."""
    known = sys.modules.get(name)
    if known is not None and known.__spec__ is not None and "." not in name:
        origin = known.__spec__.origin
        if origin is not None and Path(origin).resolve() != _origin_of(name):
            _forget(name)
    return importlib.import_module(name)


def _forget(name: str) -> None:
    for each in [each for each in sys.modules if each == name or each.startswith(name + ".")]:
        del sys.modules[each]


def _installed() -> list[PluginLocation]:
    """Return the installed plugins; read the packages again only where the import path has changed, since that takes long."""
    return list(_installed_at(tuple((place, _changed(place)) for place in sys.path)))


@functools.lru_cache(maxsize=4)
def _installed_at(_places: tuple[tuple[str, int], ...]) -> Sequence[PluginLocation]:
    """Return the installed plugins; `_places` are the import path with modification times, which installers change."""
    bundled = _bundled()
    found = [
        PluginLocation(point.name, "bundled" if (point.name, point.value) in bundled else "installed", point.module)
        for point in entry_points(group=ENTRY_POINT_GROUP)
    ]
    return sorted(found, key=lambda each: each.origin == "bundled")


def _changed(place: str) -> int:
    try:
        return os.stat(place or ".").st_mtime_ns
    except OSError:
        return 0


def _bundled() -> set[tuple[str, str]]:
    """Return the names and values of SARA's own entry points."""
    try:
        return {
            (point.name, point.value) for point in distribution(DISTRIBUTION).entry_points if point.group == ENTRY_POINT_GROUP
        }
    except PackageNotFoundError:
        return set()


def _import_path(name: str, path: Path) -> ModuleType:
    """Import a plugin from its path under the name `sara_<name>`, replacing one of that name from elsewhere."""
    module_name = f"sara_{name}"
    known = sys.modules.get(module_name)
    if known is not None and known.__spec__ is not None and known.__spec__.origin == str(path):
        return known
    _forget(module_name)
    search = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(module_name, path, submodule_search_locations=search)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(module_name, None)
        raise
    return module


def _implementations(manager: pluggy.PluginManager, hook: str | None = None) -> Sequence[pluggy.HookImpl]:
    names = [hook] if hook is not None else [name for name in vars(manager.hook) if not name.startswith("_")]
    return [
        each for name in names if (caller := getattr(manager.hook, name, None)) is not None for each in caller.get_hookimpls()
    ]


def _registered(module: ModuleType, hook: str) -> list[Any]:
    """Return what a module registers by a hook; nothing where it has none."""
    register = getattr(module, hook, None)
    return _listed(register) if callable(register) else []


def _listed(register: Callable[[], Any]) -> list[Any]:
    brought = register()
    if isinstance(brought, str | bytes) or not hasattr(brought, "__iter__"):
        raise wrong_type("its result", brought, "a list")
    return list(brought)


def _fault_of_class(kind: Kind, brought: Any) -> str:
    """Return why a class cannot be used for a section of `kind`; empty where it can."""
    contract = CONTRACTS[kind]
    if not isinstance(brought, type):
        return f"is no class but {'None' if brought is None else type(brought).__name__}"
    options = getattr(brought, "Options", None)
    if not (isinstance(options, type) and issubclass(options, BaseModel)):
        return "declares no Options"
    if not issubclass(brought, contract):
        return f"is no {contract.__name__}: the class {brought.__name__} does not extend it"
    if missing := sorted(getattr(brought, "__abstractmethods__", ())):
        return f"is not finished: the class {brought.__name__} lacks {', '.join(f'`{each}`' for each in missing)}"
    return ""
