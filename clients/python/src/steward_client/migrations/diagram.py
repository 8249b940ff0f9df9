"""The type of RenderDiagram: the tables of a database, drawn and listed."""

from __future__ import annotations

from dataclasses import dataclass

from steward.v1 import migration_pb2 as pb


@dataclass(frozen=True, slots=True)
class Diagram:
    """The tables of a database as they are now."""

    database: str
    server_version: str
    mermaid: str
    """An entity-relationship diagram (Mermaid erDiagram)."""
    markdown: str
    """The columns of each table, all constraints and all indexes."""
    table_count: int
    foreign_key_count: int

    @classmethod
    def from_proto(cls, message: pb.Diagram) -> Diagram:
        """Reads a steward.v1 Diagram."""
        return cls(
            database=message.database,
            server_version=message.server_version,
            mermaid=message.mermaid,
            markdown=message.markdown,
            table_count=message.table_count,
            foreign_key_count=message.foreign_key_count,
        )
