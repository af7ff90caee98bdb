"""`kqq conformance`: the published suite, run against any server."""
