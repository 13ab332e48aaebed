"""A program that uses every part of asyncio that orders things: the workload for the tests of replay."""

import asyncio

from lictor.testing import SimLoop


class Medley:
    """Sets of tasks and of futures, queues, groups, time-outs, generators and failures, all writing to one log."""

    def __init__(self, loop: SimLoop) -> None:
        self.loop = loop
        self.log = []

    async def work(self, name, seconds):
        try:
            await asyncio.sleep(seconds)
            self.log.append(f"{name} {self.loop.time():.3f}")
            return name
        except asyncio.CancelledError:
            self.log.append(f"{name} cancelled {self.loop.time():.3f}")
            raise

    async def fail(self):
        await asyncio.sleep(0.5)
        raise ValueError("as planned")

    async def group(self):
        async with asyncio.TaskGroup() as tasks:
            for number in range(12):
                tasks.create_task(self.work(f"grouped{number}", 5 + number))
            tasks.create_task(self.fail())

    async def queue(self):
        items = asyncio.Queue(2)

        async def produce(name):
            for number in range(5):
                await items.put(f"{name}{number}")
                await asyncio.sleep(0)

        producers = {self.loop.create_task(produce(name)) for name in "abcdef"}
        self.log.extend([await asyncio.wait_for(items.get(), 1) for _ in range(30)])
        for producer in producers:
            self.log.append(producer.get_name())
            await producer

    async def race(self):
        tasks = {asyncio.ensure_future(self.work(f"racer{number}", number % 3)) for number in range(9)}
        while tasks:
            done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self.log.extend(f"won {task.result()}" for task in done)

    async def late(self):
        try:
            async with asyncio.timeout(0.25):
                await self.work("late", 10)
        except TimeoutError:
            self.log.append("timed out")

    async def generate(self):
        async def numbers():
            for number in range(3):
                await asyncio.sleep(0.1)
                yield number

        async for number in numbers():
            self.log.append(f"generated {number}")
            if number == 1:
                break

    async def offload(self):
        self.log.append(await asyncio.to_thread(lambda: "offloaded"))


async def medley(loop: SimLoop) -> list[str]:
    """Run all of it at once; the log ends with the types of what the six parts gave."""
    all_of_it = Medley(loop)
    parts = (
        all_of_it.group(),
        all_of_it.queue(),
        all_of_it.race(),
        all_of_it.late(),
        all_of_it.generate(),
        all_of_it.offload(),
    )
    results = await asyncio.gather(*parts, return_exceptions=True)
    return [*all_of_it.log, *(type(result).__name__ for result in results)]
