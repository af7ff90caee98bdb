"""A town for tests that pytest runs; name `kqq.testing.fixtures` in `pytest_plugins`.

    pytest_plugins = ["kqq.testing.fixtures"]

    async def test_bot(kqq_town: type[Town]) -> None:
        async with kqq_town("Anna", "小波") as town:
            ...

The fixture itself is not asynchronous, so that any plugin may run the tests that are.
"""

from types import TracebackType

import pytest

from kqq.testing.town import Town


@pytest.fixture
def kqq_town(request: pytest.FixtureRequest) -> type[Town]:
    """`Town`, save that the report of a test that fails within shows the lines that were said."""

    class ShownTown(Town):
        async def __aexit__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            trace: TracebackType | None,
        ) -> None:
            if kind is not None and self.lines:
                request.node.add_report_section("call", "kqq", "\n".join(self.lines))
            await super().__aexit__(kind, error, trace)

    return ShownTown
