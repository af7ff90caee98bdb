"""`kqq replay`, `kqq record` and `kqq mock`: plays, performed with other servers."""
