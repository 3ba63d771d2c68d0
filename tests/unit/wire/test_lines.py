"""Lines: which channel a call gets."""

from grpc.aio import Channel

from headrace.wire.channel import QUESTIONS
from headrace.wire.identity import Role
from headrace.wire.lines import Lines
from headrace.wire.trust import Options, Trust


class Turning(Trust):
    """A newer certificate comes, from another thread, while the first channel is opened with the one before."""

    def dial(self, target: str, server: Role, options: Options) -> Channel:
        channel = super().dial(target, server, options)
        self.generation = 1
        return channel


async def test_a_certificate_that_comes_while_a_channel_is_opened_is_that_of_the_next_call() -> None:
    lines = Lines("unix:/nobody", QUESTIONS, Turning(), Role.CONTROL)
    async with lines.channel() as old:
        pass
    async with lines.channel() as new:
        assert new is not old
    async with lines.channel() as same:
        assert same is new
    await lines.close()
