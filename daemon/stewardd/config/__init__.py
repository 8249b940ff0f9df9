"""Every setting: its type, its default, and one line of meaning below it; a file a section.

`settings.py` is the root that lists the sections, `loading.py` reads them from file, environment and command line,
`values.py` has the types that several sections share, and `misnamed.py` says what is wrong with a setting.
docs/configuration.md is generated from here (`make docs`).
"""
