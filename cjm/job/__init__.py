"""The configured batch run: one TOML file in, one folder of report, tables and manifest out; and batches watched."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
