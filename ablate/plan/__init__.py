"""What a study would train, what it costs, and what it can show, without training it."""

from __future__ import annotations

import json

from rich.console import Console

from ablate.study.plan import Study


def show_plan(study: Study, console: Console, *, as_json: bool = False) -> None:
    """Print the plan of a study; nothing is trained, and nothing is written to its store.

    Raises:
        InputError: a cell's network cannot be built, or an arm changes nothing.
    """
    from ablate.plan.outlook import look_ahead
    from ablate.plan.show import show_outlook

    outlook = look_ahead(study)
    if as_json:
        print(json.dumps(outlook.to_dict(), indent=2, default=str))
    else:
        show_outlook(outlook, console)
