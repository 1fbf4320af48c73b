"""One view a file; this union is the list of all that a phase may name."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator

from recdistill.data.views.contract import View
from recdistill.data.views.crop import Crop
from recdistill.data.views.mask import Mask
from recdistill.data.views.reorder import Reorder
from recdistill.data.views.substitute import Substitute

AnyView = Annotated[Crop | Mask | Reorder | Substitute, Discriminator("kind")]

__all__ = ["AnyView", "Crop", "Mask", "Reorder", "Substitute", "View"]
