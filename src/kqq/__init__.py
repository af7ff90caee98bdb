"""kqq: the text protocol of Mobile QQ (2003-2014), alive again.

`kqq.protocol` reads and writes the lines, `kqq.client` talks to a server, `kqq.server` is one.
"""

import logging

__version__ = "0.1.0"

# Who uses the library decides what becomes of its log.
logging.getLogger("kqq").addHandler(logging.NullHandler())
