"""What the suite's runner takes from Python 3.12, filled in for 3.11 (Python imports this module by its name)."""

import enum
import os
import pathlib
import sys

if sys.version_info < (3, 12):
    # `"value" in SomeEnum` asks for members by value.
    def contains(cls, value):
        return isinstance(value, cls) or value in cls._value2member_map_

    enum.EnumType.__contains__ = contains

    def walk(self, top_down=True, on_error=None, follow_symlinks=False):
        for folder, folders, files in os.walk(self, top_down, on_error, follow_symlinks):
            yield type(self)(folder), folders, files

    pathlib.Path.walk = walk

    plain_relative_to = pathlib.PurePath.relative_to

    def relative_to(self, *other, walk_up=False):
        if walk_up:
            return type(self)(os.path.relpath(self, type(self)(*other)))
        return plain_relative_to(self, *other)

    pathlib.PurePath.relative_to = relative_to
