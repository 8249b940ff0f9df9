"""The validation: from an upload, or a file that the daemon reads itself, to a published batch."""

from __future__ import annotations

from stewardd.app.assembly import Assembly
from stewardd.app.repository import Repository
from stewardd.app.threads import ThreadPools
from stewardd.batches.catalog import BatchCatalog
from stewardd.rpc.validation.servicer import ValidationServicer
from stewardd.schemas.registry import Registry
from stewardd.validation.batch_starter import BatchLimit, BatchStarter
from stewardd.validation.payload_gathering import PayloadGatherer
from stewardd.validation.payload_validation import PayloadValidation


def build_validation(
    assembly: Assembly,
    repository: Repository,
    registry: Registry,
    threads: ThreadPools,
    catalog: BatchCatalog,
) -> None:
    """Adds the service."""
    settings = assembly.settings
    limit = BatchLimit(settings.server.max_concurrent_batches)
    starter = BatchStarter(
        registry=registry,
        catalog=catalog,
        store=repository.store,
        lease=repository.lease,
        claims=repository.claims,
        scratch=assembly.scratch,
        threads=threads.engine,
        limits=settings.validation,
        roots=repository.uri_roots,
        batch_limit=limit,
        on_end=assembly.metrics.add_batches(limit),
    )
    payloads = PayloadValidation(
        registry, threads.engine, settings.validation, assembly.metrics.add_payloads()
    )
    assembly.servicers.append(
        ValidationServicer(
            starter,
            catalog,
            registry,
            payloads,
            PayloadGatherer(starter),
            assembly.upload_timeouts,
        )
    )
