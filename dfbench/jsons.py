"""JSON in which the numbers that are not finite are the strings "inf", "-inf" and "nan"."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from dfbench.errors import Unusable
from dfbench.files import content


def plain(value: Any) -> Any:
    """The value in JSON's own types.

    Numbers that are not finite become the strings "inf", "-inf" and "nan"; arrays and tensors
    lists; data classes objects, of their fields or of what their attribute `JSON` names; everything
    JSON has no word for the string a person would read.
    """
    if value is None or isinstance(value, bool | str):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if is_dataclass(value) and not isinstance(value, type):
        names = getattr(value, "JSON", None) or " ".join(each.name for each in fields(value))
        return {name: plain(getattr(value, name)) for name in names.split()}
    return str(value)


def dumps(value: Any, **layout: Any) -> str:
    """JSON text of anything that `plain` understands; the layout is that of `json.dumps`."""
    return json.dumps(plain(value), allow_nan=False, **{"indent": 1, **layout})


def text(value: Any, **layout: Any) -> str:
    """The same as the text of a file, which ends with a line end."""
    return dumps(value, **layout) + "\n"


def read(path: str | Path) -> Any:
    """What a JSON file holds.

    Raises:
        Unusable: there is no such file, it is too large, or it is not JSON.
    """
    try:
        return json.loads(content(path))
    except OSError as error:
        raise Unusable(f"{path}: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{path}: not JSON ({error})") from error
