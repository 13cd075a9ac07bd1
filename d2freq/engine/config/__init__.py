"""YAML and lazy configs behind one interface, read with errors that name the culprit."""

from d2freq.engine.config.config import Config
from d2freq.engine.config.lazy_config import LazyConfig
from d2freq.engine.config.load import as_config, is_lazy, load_config
from d2freq.engine.config.yaml_config import YamlConfig

__all__ = ["Config", "LazyConfig", "YamlConfig", "as_config", "is_lazy", "load_config"]
