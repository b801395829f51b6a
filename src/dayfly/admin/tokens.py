"""Routes: tokens."""

from dataclasses import dataclass

from dayfly.admin.bodies import TokenId, TokenOrder
from dayfly.admin.caller import Need
from dayfly.admin.route import Asking, Operating, make_router, needs
from dayfly.registry import TokenRow

router = make_router("tokens")


@dataclass(frozen=True)
class IssuedToken:
    """A token, the one time that it is seen."""

    token: str
    about: TokenRow


@router.get("/tokens", **needs(Need.ADMIN))
def list_tokens(operator: Operating) -> list[TokenRow]:
    """List all tokens, without what they are."""
    return operator.tokens()


@router.post("/tokens", status_code=201, **needs(Need.ADMIN))
def issue_token(body: TokenOrder, operator: Operating, caller: Asking) -> IssuedToken:
    """Make a token. The answer holds it, and nothing else ever does."""
    row, token = operator.issue_token(body.scopes, note=body.note, expires_s=body.expires_s, by=caller.actor)
    return IssuedToken(token, row)


@router.delete("/tokens/{token_id}", status_code=204, **needs(Need.ADMIN))
def revoke_token(token_id: TokenId, operator: Operating, caller: Asking) -> None:
    """Make a token invalid, now and for ever."""
    operator.revoke_token(token_id, by=caller.actor)
