"""Plain values as YAML that every reader takes for the same values."""

import math
from collections.abc import Mapping
from typing import Any

import yaml

from tuner.yaml_loader import Loader


def write_yaml(values: Mapping[str, Any]) -> str:
    """Plain values as a YAML file, keys in their order; what is read back is equal, floats to the last bit."""
    text: str = yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=math.inf)
    return text


class _Dumper(yaml.SafeDumper):
    """Quotes text that PyYAML or the loader above would read as something else; writes 1e-05 as 1.0e-05, which both take."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.yaml_implicit_resolvers = {
    first: [*yaml.SafeDumper.yaml_implicit_resolvers.get(first, []), *Loader.yaml_implicit_resolvers.get(first, [])]
    for first in {*yaml.SafeDumper.yaml_implicit_resolvers, *Loader.yaml_implicit_resolvers}
}


def _write_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """Between other quotes readers change some kinds of line ends."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _write_text)
