"""Needs something that nobody has."""

from __future__ import annotations

from importlib import import_module

import_module("a_package_that_nobody_has")
