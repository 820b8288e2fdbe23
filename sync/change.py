"""What became of an object between two sights of it, in the words of the table `change`."""

CREATED, UPDATED, DELETED = "created", "updated", "deleted"
