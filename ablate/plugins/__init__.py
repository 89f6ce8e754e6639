"""The built-in plugins: `<checkout>/plugins` when run from a checkout, this folder where installed."""

from ablate.system.paths import plugin_dir

__path__.insert(0, str(plugin_dir()))
