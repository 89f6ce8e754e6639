"""The charts, each defined once: the page, the SVG files and a dashboard all draw the same definition.

Fields have neutral names (`value`, `arm`, `panel`), so that no name of a user's ends up in an expression.
Importing this imports altair.
"""

from ablate.report.charts.costs import metric_by_cost
from ablate.report.charts.curves import learning_curves
from ablate.report.charts.effects import effects
from ablate.report.charts.inside import table_chart
from ablate.report.charts.outcomes import metric_by_factor
from ablate.report.charts.style import themed

__all__ = ["effects", "learning_curves", "metric_by_cost", "metric_by_factor", "table_chart", "themed"]
