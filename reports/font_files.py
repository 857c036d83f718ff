"""Where the fonts lie that reports are set in."""

from pathlib import Path

from matplotlib import get_data_path

_OURS = Path(__file__).parent / "fonts"
_MATPLOTLIBS = Path(get_data_path()) / "fonts" / "ttf"

REGULAR = _OURS / "Inter-Regular.otf"
SEMIBOLD = _OURS / "Inter-SemiBold.otf"
MONO = _MATPLOTLIBS / "DejaVuSansMono.ttf"
FALLBACK = _MATPLOTLIBS / "DejaVuSans.ttf"  # for signs that Inter lacks
