"""A study's workspace and report in somebody else's dashboard, where trackers have put its runs."""

from ablate.dashboards.show import show_dashboard as show_dashboard
