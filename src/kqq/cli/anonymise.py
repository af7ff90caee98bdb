"""`kqq anonymise`: captures that can be shown to others."""
