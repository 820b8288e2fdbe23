"""The mirror: every object in SQL as it is now, and every change it went through.

The only room with SQL. `database` opens either database, `tables` describes what is in it,
`schema` makes and migrates it, `staging` finds what changed, `mirror` is what jobs talk to.
"""
