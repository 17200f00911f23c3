"""Samplers and encoders from other packages, named in settings by import path or entry point.

Settings that name a plugin are data: validating, saving or comparing them imports nothing. `Plugin.load` imports the
class, checks it, and remembers the result for exactly these settings; only then can the plugin be used. Callers load
plugins that the user named (in a configuration, an override or a call), and those that a library names after
`pipeline.library.trust` has approved them.

A plugin's class is a `Settings` subclass whose fields are its settings. It is identified by its import path, its
settings and a version: its `revision` attribute, or else the version of its distribution.
"""

from pipeline.plugins.checks import missing_members
from pipeline.plugins.classes import Seam, entry_point_names, import_path, is_import_path
from pipeline.plugins.section import Plugin, plugin_of

__all__ = ["Plugin", "Seam", "entry_point_names", "import_path", "is_import_path", "missing_members", "plugin_of"]
