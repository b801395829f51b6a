"""What a base runs before it is frozen."""

from dayfly.handler import asgi, host, make_entry, native, warm


def test_every_kind_of_program_answers_and_nothing_is_left() -> None:
    """Neither the stand-in, nor a loop, nor a request."""
    warm.requests(2)
    assert asgi.the_loop().time() < 0.5
    asgi.forget()
    assert asgi.kept == []
    assert native.Current.frame is None
    assert not native.freezing()
    assert host.part is native.part


def test_only_the_program_that_is_to_fail_fails() -> None:
    """So that the others are used as programs use them."""
    failed = set()
    for module in warm.programs():
        entry = make_entry(module)
        for frame in warm.FRAMES:
            try:
                native.call(entry.call, entry.parts, frame)
            except native.ProgramFailed as error:
                failed.add((str(error).splitlines()[-1], module))
    asgi.forget()
    assert len({id(module) for _, module in failed}) == 1
    assert {text.partition(":")[0] for text, _ in failed} == {"KeyError"}
