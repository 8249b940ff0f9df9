"""Both clients under one face, so that a test states a behaviour once and holds both to it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

from steward_client import AsyncClient, Client, RetryPolicy


class Blocking:
    """An AsyncClient, or what it returns, whose coroutines are run and whose iterators are read here and now."""

    def __init__(self, runner: asyncio.Runner, inner: Any) -> None:
        self._runner = runner
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if not callable(value):
            return value

        def call(*arguments: Any, **keywords: Any) -> Any:
            result = value(*arguments, **keywords)
            if inspect.isasyncgen(result):
                return self._iterate(result)
            if inspect.iscoroutine(result):
                result = self._runner.run(result)
            return self._wrapped(result)

        return call

    def _wrapped(self, result: Any) -> Any:
        return (
            Blocking(self._runner, result) if type(result).__name__ == "AsyncOperation" else result
        )

    def _iterate(self, generator: Any) -> Iterator[Any]:
        async def step() -> Any:
            return await anext(generator)

        async def close() -> None:
            await generator.aclose()

        try:
            while True:
                yield self._wrapped(self._runner.run(step()))
        except StopAsyncIteration:
            return
        finally:
            self._runner.run(close())


class Shells:
    """Makes clients of one kind and closes them."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._runner = asyncio.Runner()
        self._open: list[Any] = []

    def __call__(self, address: str, **settings: Any) -> Any:
        settings.setdefault(
            "retry", RetryPolicy(attempts=5, initial_delay_s=0.01, max_delay_s=0.05)
        )
        if self.kind == "plain":
            client: Any = Client(address, **settings)
        else:

            async def make() -> AsyncClient:
                return AsyncClient(address, **settings)

            client = Blocking(self._runner, self._runner.run(make()))
        self._open.append(client)
        return client

    def close(self) -> None:
        for client in self._open:
            client.close()
        self._runner.close()
