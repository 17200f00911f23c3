"""Samplers and encoders from other packages, named in settings by import path or entry point.

Settings that name a plugin are data: validating, saving or comparing them imports nothing. `Plugin.load` imports the
class, checks it and remembers the result for exactly these settings; only then can the plugin be used. Callers load
what the user named (a configuration, an override, a call), and what a library names after `pipeline.library.trust`
agreed.

A plugin's class is a `Settings` subclass whose fields are its settings. Its identity is its import path, its settings
and a version: its `revision` attribute, or else the version of the distribution that holds it.
"""

from pipeline.plugins.checks import missing_members
from pipeline.plugins.classes import Seam, entry_point_names, import_path, is_import_path
from pipeline.plugins.section import Plugin, plugin_of

__all__ = ["Plugin", "Seam", "entry_point_names", "import_path", "is_import_path", "missing_members", "plugin_of"]
