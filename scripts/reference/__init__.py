"""The reference, written from the code: docs/reference, and the manual page that is installed with the program.

`make reference` writes it anew; tests/test_reference.py fails where a file is not what the code says.
"""
