"""What tests of the operator's actions begin with."""

from pathlib import Path

import pytest

from kqq.server.admin import Admin
from kqq.server.store import Store
from operating import Operator, admin_alone
from stage import Stage


@pytest.fixture
def operator(stage: Stage) -> Operator:
    """The operator of a server with Romeo and Juliet, who are friends, and Paris."""
    return Operator(stage)


@pytest.fixture
def alone(store: Store, tmp_path: Path) -> Admin:
    """The same people where no server runs."""
    return admin_alone(store, tmp_path)
