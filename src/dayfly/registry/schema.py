"""The tables. `migrations` makes them; a test compares the two.

    tenants ──< releases          what was deployed, numbered from 1
       │  └──< serving >──┘       which of them serve: `current`, and maybe `canary`
       ├──< routes                hosts and paths, each with one owner
       └──< secrets               sealed values
    tokens      audit      settings

Times are text (ISO 8601, UTC, milliseconds) and structures are JSON in text, so that both databases hold the same
octets and a digest over them means the same in both.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

tenants = Table(
    "tenants",
    metadata,
    Column("name", String(63), primary_key=True),
    # Number of the last entry in `audit` that is about the tenant: never used again, not even by a later tenant.
    Column("revision", BigInteger, nullable=False),
    Column("releases_made", Integer, nullable=False),
    # The operator's word, over what dayfly.toml says.
    Column("limits", Text, nullable=False),
    Column("environment", Text, nullable=False),
)

releases = Table(
    "releases",
    metadata,
    Column("tenant", String(63), ForeignKey("tenants.name"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("parent", String(64)),
    Column("origin", String(255), nullable=False),
    # What the tenant was when it was deployed.
    Column("config", Text, nullable=False),
    Column("made_at", String(32), nullable=False),
    Column("made_by", String(255), nullable=False),
    Column("why", Text, nullable=False),
    # The release that was current before, to which a rollback leads.
    Column("before", Integer),
    Index("ix_releases_digest", "digest"),
    Index("ix_releases_parent", "parent"),
)

serving = Table(
    "serving",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("role", String(16), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("share", Float, nullable=False),
    ForeignKeyConstraint(["tenant", "number"], ["releases.tenant", "releases.number"]),
    CheckConstraint("role IN ('current', 'canary')", name="role"),
    CheckConstraint("share > 0 AND share <= 1", name="share"),
)

routes = Table(
    "routes",
    metadata,
    Column("route", String(255), primary_key=True),
    Column("tenant", String(63), ForeignKey("tenants.name"), nullable=False),
    Index("ix_routes_tenant", "tenant"),
)

secrets = Table(
    "secrets",
    metadata,
    Column("tenant", String(63), ForeignKey("tenants.name"), primary_key=True),
    Column("variable", String(255), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(16), primary_key=True),
    # SHA-256 of the token; the token itself is nowhere.
    Column("digest", String(64), nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("made_at", String(32), nullable=False),
    Column("made_by", String(255), nullable=False),
    Column("expires_at", String(32)),
    Column("revoked_at", String(32)),
)

audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("by", String(255), nullable=False),
    Column("what", String(32), nullable=False),
    Column("tenant", String(63)),
    Column("release", String(64)),
    Column("why", Text, nullable=False),
    Column("details", Text, nullable=False),
    # Digest of the entry before this one, and of this one with it.
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Index("ix_audit_tenant_number", "tenant", "number"),
)

settings = Table(
    "settings",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)
