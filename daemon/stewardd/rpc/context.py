"""The context of a call, as grpc.aio hands it to every method."""

from __future__ import annotations

from typing import Any

import grpc

Context = grpc.aio.ServicerContext[Any, Any]
