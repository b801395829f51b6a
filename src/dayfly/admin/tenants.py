"""Routes: tenants, their releases, and what the operator says about them."""

from typing import Annotated

from fastapi import Query, Response

from dayfly.admin.bodies import (
    Activation,
    CanaryShare,
    Environment,
    LimitOverrides,
    SecretValue,
    TenantName,
    VariableName,
)
from dayfly.admin.caller import Need
from dayfly.admin.route import CarefullyChanging, Changing, Operating, make_router, needs, tag
from dayfly.operator import TenantState
from dayfly.registry import Event, ReleaseRow

router = make_router("tenants")


@router.get("/tenants", **needs(Need.READ))
def list_tenants(operator: Operating) -> list[TenantState]:
    """List the tenants, sorted by name."""
    return operator.tenants()


@router.get("/tenants/{tenant}", **needs(Need.READ))
def show_tenant(tenant: TenantName, operator: Operating, response: Response) -> TenantState:
    """Show one tenant: where it is, which release it is on, and what holds for it."""
    return _tagged(response, operator.tenant(tenant))


@router.delete("/tenants/{tenant}", status_code=204, **needs(Need.ADMIN, careful=True))
def remove_tenant(tenant: TenantName, operator: Operating, change: CarefullyChanging) -> None:
    """Take a tenant away, with its secrets. Requests in flight are finished; its name, hosts and paths are free."""
    operator.remove(tenant, change)


@router.get("/tenants/{tenant}/releases", **needs(Need.READ))
def list_releases(tenant: TenantName, operator: Operating) -> list[ReleaseRow]:
    """List the releases of a tenant, the newest first."""
    return operator.releases(tenant)


@router.get("/tenants/{tenant}/history", **needs(Need.READ))
def list_history(
    tenant: TenantName,
    operator: Operating,
    limit: Annotated[int, Query(ge=1, le=1000, description="at most so many")] = 100,
    before: Annotated[int | None, Query(ge=1, le=1 << 62, description="only what has a lower number")] = None,
) -> list[Event]:
    """List what was done to a tenant, by whom and why, the newest first; also to one that is removed."""
    return operator.history(tenant, limit, before)


@router.post("/tenants/{tenant}/activate", **needs(Need.DEPLOY))
def activate_release(
    tenant: TenantName, body: Activation, operator: Operating, change: Changing, response: Response
) -> TenantState:
    """Make a recorded release the current one. Requests in flight keep theirs."""
    return _tagged(response, operator.activate(tenant, body.release, change))


@router.post("/tenants/{tenant}/rollback", **needs(Need.DEPLOY))
def roll_back(tenant: TenantName, operator: Operating, change: Changing, response: Response) -> TenantState:
    """Make the release before the current one the current one."""
    return _tagged(response, operator.activate(tenant, None, change))


@router.put("/tenants/{tenant}/canary", **needs(Need.DEPLOY))
def share_canary(
    tenant: TenantName, body: CanaryShare, operator: Operating, change: Changing, response: Response
) -> TenantState:
    """Change the share of the requests that the canary gets."""
    return _tagged(response, operator.set_canary(tenant, body.share, change))


@router.post("/tenants/{tenant}/canary/promote", **needs(Need.DEPLOY))
def promote_canary(tenant: TenantName, operator: Operating, change: Changing, response: Response) -> TenantState:
    """Make the canary the current release."""
    return _tagged(response, operator.promote(tenant, change))


@router.delete("/tenants/{tenant}/canary", **needs(Need.DEPLOY))
def abort_canary(tenant: TenantName, operator: Operating, change: Changing, response: Response) -> TenantState:
    """Take the canary away; the current release gets all requests again."""
    return _tagged(response, operator.abort(tenant, change))


@router.get("/tenants/{tenant}/limits", **needs(Need.READ))
def show_limits(tenant: TenantName, operator: Operating, response: Response) -> dict[str, int]:
    """Show what the operator has said over the `limits` of dayfly.toml; the tenant has those that hold."""
    overrides = operator.overrides(tenant)
    tag(response, overrides.revision)
    return overrides.limits


@router.put("/tenants/{tenant}/limits", **needs(Need.ADMIN, careful=True))
def set_limits(
    tenant: TenantName, body: LimitOverrides, operator: Operating, change: CarefullyChanging, response: Response
) -> TenantState:
    """Say which limits hold, whatever dayfly.toml says; those that are left out are as it says."""
    return _tagged(response, operator.override(tenant, change, limits=body.model_dump(exclude_unset=True)))


@router.get("/tenants/{tenant}/environment", **needs(Need.READ))
def show_environment(tenant: TenantName, operator: Operating, response: Response) -> dict[str, str]:
    """Show what the operator has said over the `environment` of dayfly.toml; the tenant has that which holds."""
    overrides = operator.overrides(tenant)
    tag(response, overrides.revision)
    return overrides.environment


@router.put("/tenants/{tenant}/environment", **needs(Need.DEPLOY, careful=True))
def set_environment(
    tenant: TenantName, body: Environment, operator: Operating, change: CarefullyChanging, response: Response
) -> TenantState:
    """Say which plain variables a program has besides those of dayfly.toml, or instead of them."""
    return _tagged(response, operator.override(tenant, change, environment=body.root))


@router.get("/tenants/{tenant}/secrets", **needs(Need.READ))
def list_secrets(tenant: TenantName, operator: Operating) -> dict[str, bool]:
    """List the names of secrets, and whether each has a value. No answer ever holds one."""
    return operator.secrets(tenant)


@router.put("/tenants/{tenant}/secrets/{variable}", status_code=204, **needs(Need.DEPLOY))
def set_secret(  # noqa: PLR0913, PLR0917 - what the framework is to inject
    tenant: TenantName,
    variable: VariableName,
    body: SecretValue,
    operator: Operating,
    change: Changing,
    response: Response,
) -> None:
    """Give a secret its value; the program has it from the next request on. The tenant may be yet to be deployed."""
    tag(response, operator.set_secret(tenant, variable, body.value, change))


@router.delete("/tenants/{tenant}/secrets/{variable}", status_code=204, **needs(Need.DEPLOY))
def remove_secret(
    tenant: TenantName, variable: VariableName, operator: Operating, change: Changing, response: Response
) -> None:
    """Forget the value of a secret."""
    tag(response, operator.set_secret(tenant, variable, None, change))


def _tagged(response: Response, state: TenantState) -> TenantState:
    tag(response, state.revision)
    return state
