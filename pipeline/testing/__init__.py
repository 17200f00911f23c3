"""Contract suites: tests that every sampler, encoder, store and index must pass, including those of other packages.

A test class inherits a suite and names the object to test; pytest runs the inherited tests:

    import pytest
    from pipeline.testing import EncoderContract, SamplerContract

    class TestEveryNth(SamplerContract):
        sampler = EveryNth(every=10)

    class TestMeanColour(EncoderContract):
        @pytest.fixture
        def encoder(self):
            return MeanColour()

| suite | required | optional |
|---|---|---|
| `SamplerContract` | `sampler` | `tolerance`, `holds_frames_back`, `knows_time_on_screen` |
| `EncoderContract` | the fixture `encoder` | the fixtures `model`, `images` |
| `SegmenterContract` | `segmenter` | |
| `AggregatorContract` | `aggregator` | |
| `StoreContract` | the fixture `store` | |
| `IndexContract`, `LastingIndexContract` | the fixture `open_it` | the fixture `index` |

The suites draw examples at random; MOMENTSEEK_EXAMPLES scales their number, in percent (100 if unset).

Importing this package needs pytest and hypothesis (pip install 'momentseek[testing]'); the rest of momentseek does not.

Raises:
    MissingPackageError: pytest or hypothesis is not installed.
"""

from __future__ import annotations

from pipeline.errors import MissingPackageError

try:
    import hypothesis  # noqa: F401 - required by the suites; reported here if it is missing
    import pytest
except ImportError as error:
    raise MissingPackageError(
        f"pipeline.testing needs pytest and hypothesis ({error}); run: pip install 'momentseek[testing]'"
    ) from error

# Registered before the suites are imported, so that their failed assertions show values as in a test module.
pytest.register_assert_rewrite(
    *(f"{__name__}.{suite}" for suite in ("aggregator", "encoder", "index", "sampler", "segmenter", "store"))
)

from pipeline.testing.aggregator import AggregatorContract  # noqa: E402
from pipeline.testing.encoder import EncoderContract  # noqa: E402
from pipeline.testing.index import IndexContract, LastingIndexContract  # noqa: E402
from pipeline.testing.sampler import SamplerContract  # noqa: E402
from pipeline.testing.segmenter import SegmenterContract  # noqa: E402
from pipeline.testing.store import StoreContract  # noqa: E402

__all__ = [
    "AggregatorContract",
    "EncoderContract",
    "IndexContract",
    "LastingIndexContract",
    "SamplerContract",
    "SegmenterContract",
    "StoreContract",
]
