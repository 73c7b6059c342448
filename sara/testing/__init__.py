"""For plugin authors: the exams that stores and queues sit, and a clock to set by hand.

Subclass a contract in your own tests and provide its fixture:

    class TestMyQueue(PersistentQueueContract):
        @pytest.fixture
        async def queue(self, clock): ...

The contracts need pytest and pytest-asyncio in auto mode.
"""

from sara.testing.clock import ManualClock
from sara.testing.queue import PersistentQueueContract, QueueContract
from sara.testing.store.core import StoreContract

__all__ = ["ManualClock", "PersistentQueueContract", "QueueContract", "StoreContract"]
