"""Leaving with everything: a folder or ZIP that a person can read without this program.

`job` does it; `choice` says as of when; `contents` and `files` write the parts that need more than
a list; `output` is where it goes. How things look there is pure: `safe_name`, `markdown`, `sheet`,
`readme`, and `parts`, the names in the index of the export.
"""
