"""Vega-Embed, with the Vega and Vega-Lite that it draws with, as one script, so that no page loads
anything over a network. ``python -m glassnets.report.vega`` prints the one of DVC's plots.
"""

import sys

import vl_convert

ALTAIR = "6.4"  # the version of Vega-Lite that Altair writes
DVC = "5.21"  # and that DVC's templates are written in


def script(vega_lite: str) -> str:
    """JavaScript that sets ``window.vegaEmbed``; it may stand inside a <script>."""
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vega_lite)
    # Its names stay its own, whatever else the page declares.
    return "(function () {" + bundle.replace("</script", "<\\/script") + "})();"


if __name__ == "__main__":
    sys.stdout.write(script(DVC))
