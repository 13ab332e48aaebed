"""A program that uses every part of asyncio that orders things: the workload for the tests of replay."""

import asyncio

from lictor.testing import SimLoop


async def medley(loop: SimLoop) -> list[str]:  # noqa: C901 - a list of small programs
    """Every part of asyncio that orders things, with sets of tasks and of futures, time-outs and failures."""
    log = []

    async def work(name, seconds):
        try:
            await asyncio.sleep(seconds)
            log.append(f"{name} {loop.time():.3f}")
            return name
        except asyncio.CancelledError:
            log.append(f"{name} cancelled {loop.time():.3f}")
            raise

    async def group():
        async with asyncio.TaskGroup() as tasks:
            for number in range(12):
                tasks.create_task(work(f"grouped{number}", 5 + number))
            tasks.create_task(fail())

    async def fail():
        await asyncio.sleep(0.5)
        raise ValueError("as planned")

    async def queue():
        items = asyncio.Queue(2)

        async def produce(name):
            for number in range(5):
                await items.put(f"{name}{number}")
                await asyncio.sleep(0)

        producers = {loop.create_task(produce(name)) for name in "abcdef"}
        log.extend([await asyncio.wait_for(items.get(), 1) for _ in range(30)])
        for producer in producers:
            log.append(producer.get_name())
            await producer

    async def first():
        tasks = {asyncio.ensure_future(work(f"racer{number}", number % 3)) for number in range(9)}
        while tasks:
            done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            log.extend(f"won {task.result()}" for task in done)

    async def late():
        try:
            async with asyncio.timeout(0.25):
                await work("late", 10)
        except TimeoutError:
            log.append("timed out")

    async def numbers():
        for number in range(3):
            await asyncio.sleep(0.1)
            yield number

    async def generated():
        async for number in numbers():
            log.append(f"generated {number}")
            if number == 1:
                break

    async def offloaded():
        log.append(await asyncio.to_thread(lambda: "offloaded"))

    results = await asyncio.gather(group(), queue(), first(), late(), generated(), offloaded(), return_exceptions=True)
    log.extend(type(result).__name__ for result in results)
    return log
