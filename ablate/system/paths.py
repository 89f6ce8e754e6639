"""Where the built-in configs and plugins lie: at the top of a checkout, or inside the installed package."""

from __future__ import annotations

from pathlib import Path

DECIDES_NUMBERS = False

PACKAGE = Path(__file__).resolve().parents[1]


def checkout_root() -> Path | None:
    """The checkout that this package runs from, or None where it is installed."""
    root = PACKAGE.parent
    is_checkout = (root / "pyproject.toml").is_file() and (root / "conf" / "config.yaml").is_file()
    return root if is_checkout and (root / "plugins").is_dir() else None


def other_copy(plugins: Path) -> Path | None:
    """The copy of ablate that a folder of plugins belongs to, where that is another one than this; else None."""
    home = plugins.resolve().parent
    is_copy = (home / "ablate" / "__main__.py").is_file() or (
        home.name == "ablate" and (home / "__main__.py").is_file()
    )
    return home if is_copy and home != plugin_dir().resolve().parent else None


def conf_dir() -> Path:
    """The folder of the built-in configs."""
    return (checkout_root() or PACKAGE) / "conf"


def plugin_dir() -> Path:
    """The folder of the built-in plugins."""
    return (checkout_root() or PACKAGE) / "plugins"
