"""The first schema. It stays as it is; what changes later is a file of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_APPEND_ONLY = "the audit table is append-only"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "tenants",
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("releases_made", sa.Integer, nullable=False),
        sa.Column("limits", sa.Text, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_tenants"),
    )
    op.create_table(
        "releases",
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("parent", sa.String(64)),
        sa.Column("origin", sa.String(255), nullable=False),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("made_at", sa.String(32), nullable=False),
        sa.Column("made_by", sa.String(255), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("before", sa.Integer),
        sa.PrimaryKeyConstraint("tenant", "number", name="pk_releases"),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name="fk_releases_tenant"),
    )
    op.create_index("ix_releases_digest", "releases", ["digest"])
    op.create_index("ix_releases_parent", "releases", ["parent"])
    op.create_table(
        "serving",
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("share", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "role", name="pk_serving"),
        sa.ForeignKeyConstraint(["tenant", "number"], ["releases.tenant", "releases.number"], name="fk_serving_tenant"),
        sa.CheckConstraint("role IN ('current', 'canary')", name="ck_serving_role"),
        sa.CheckConstraint("share > 0 AND share <= 1", name="ck_serving_share"),
    )
    op.create_table(
        "routes",
        sa.Column("route", sa.String(255), nullable=False),
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.PrimaryKeyConstraint("route", name="pk_routes"),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name="fk_routes_tenant"),
    )
    op.create_index("ix_routes_tenant", "routes", ["tenant"])
    op.create_table(
        "secrets",
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.Column("variable", sa.String(255), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "variable", name="pk_secrets"),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name="fk_secrets_tenant"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("made_at", sa.String(32), nullable=False),
        sa.Column("made_by", sa.String(255), nullable=False),
        sa.Column("expires_at", sa.String(32)),
        sa.Column("revoked_at", sa.String(32)),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("digest", name="uq_tokens_digest"),
    )
    op.create_table(
        "audit",
        sa.Column("number", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("by", sa.String(255), nullable=False),
        sa.Column("what", sa.String(32), nullable=False),
        sa.Column("tenant", sa.String(63)),
        sa.Column("release", sa.String(64)),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit"),
    )
    op.create_index("ix_audit_tenant_number", "audit", ["tenant", "number"])
    op.create_table(
        "settings",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_settings"),
    )
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgresql()


def _guard_sqlite() -> None:
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit "
            f"BEGIN SELECT RAISE(ABORT, '{_APPEND_ONLY}'); END"
        )
    # INSERT OR REPLACE takes a row away without firing the trigger of a deletion.
    op.execute(
        "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit "
        "WHEN EXISTS (SELECT 1 FROM audit WHERE number = NEW.number) "
        f"BEGIN SELECT RAISE(ABORT, '{_APPEND_ONLY}'); END"
    )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_APPEND_ONLY}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()"
    )
