"""Conversations whose metrics add up as they do in the real sample week.

Three rules hold for every generated conversation, and for the sample. Every offered conversation is
answered, abandoned or flows out: `nOffered = tAnswered + tAbandon + tFlowOut = tWait`. The service level is
the share answered in time of those offered that did not flow out. Handle time is talk, hold, after-call
work, contacting and dialing: `tHandle = tTalkComplete + tHeldComplete + tAcw + tContacting + tDialing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from genesys_sandbox.directory import LANGUAGES, MEDIA, QUEUES, SKILLS, WRAP_UP_CODES
from genesys_sandbox.events import Subject, draw_value
from genesys_sandbox.timestamps import HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    from datetime import datetime

    from genesys_sandbox.directory import Directory
    from genesys_sandbox.events import Batch

_MEDIA_SHARES = (62, 20, 12, 6)
# Relative volumes of the six queues, in the order of `QUEUES`.
_ASKED_FOR = (0, 40, 6, 28, 0, 26)
_CALLED_FROM = (60, 6, 0, 4, 22, 8)
_IN_TIME = {"voice": 20 * SECOND, "chat": 30 * SECOND, "email": 5 * MINUTE, "callback": 2 * MINUTE}
_TALK = {"voice": 4 * MINUTE, "chat": 6 * MINUTE, "email": 7 * MINUTE, "callback": 3 * MINUTE}
_WAIT = {"voice": 25 * SECOND, "chat": 20 * SECOND, "email": 3 * MINUTE, "callback": 50 * SECOND}
_LONGEST_WAIT = 15 * MINUTE
_LONGEST_TALK = 2 * HOUR
_LONGEST_BEFORE_TRANSFER = 20 * MINUTE
_SHORT_ABANDON = 6 * SECOND

MODELED_METRICS = frozenset(
    {
        "nBlindTransferred",
        "nConnected",
        "nConsultTransferred",
        "nConversations",
        "nError",
        "nOffered",
        "nOutbound",
        "nOutboundAttempted",
        "nOverSla",
        "nTransferred",
        "oServiceLevel",
        "tAbandon",
        "tAcd",
        "tAcw",
        "tAlert",
        "tAnswered",
        "tContacting",
        "tDialing",
        "tFlowOut",
        "tHandle",
        "tHeld",
        "tHeldComplete",
        "tNotResponding",
        "tShortAbandon",
        "tTalk",
        "tTalkComplete",
        "tWait",
    }
)


@dataclass(frozen=True, slots=True)
class Leg:
    """One conversation on one queue, as three subjects: the queue, the agent, and the agent after wrap-up."""

    media: str
    queue: Subject
    agent: Subject
    wrapped: Subject


@dataclass(frozen=True, slots=True)
class ConversationGenerator:
    """Generates every conversation that starts in one hour.

    Attributes:
        moment: When the hour starts, in the contact center's local time.
        others: Metrics of the family that are not modeled; a few random values are posted.
    """

    batch: Batch
    directory: Directory
    moment: datetime
    others: tuple[str, ...]

    def generate(self, expected: float) -> None:
        """Post about `expected` conversations with all their events."""
        start = int(self.moment.timestamp()) * SECOND
        for _ in self.batch.about(expected):
            self._generate_conversation(start + self.batch.rng.randrange(HOUR))

    def _generate_conversation(self, at: int) -> None:
        batch = self.batch
        outbound = batch.chance(0.22)
        leg = self._new_leg("outbound" if outbound else "inbound")
        batch.post(at, "nConversations", leg.queue)
        if batch.chance(0.06):
            batch.post(at, "nError", leg.queue)
        if batch.chance(0.5):
            metric = batch.rng.choice(self.others)
            whose = leg.agent if batch.chance(0.5) else leg.queue
            batch.post(at + batch.rng.randrange(HOUR), metric, whose, draw_value(batch, metric))
        if outbound:
            self._call(leg, at)
        else:
            self._offer(leg, at)

    def _new_leg(self, direction: str) -> Leg:
        rng = self.batch.rng
        shares = _CALLED_FROM if direction == "outbound" else _ASKED_FOR
        queue = rng.choices(QUEUES, shares)[0].id
        media = "voice" if direction == "outbound" else rng.choices(MEDIA, _MEDIA_SHARES)[0]
        weekend = self.moment.weekday() > 4  # noqa: PLR2004 - Friday
        agent = rng.choice(self.directory.agents_serving(queue, self.moment.hour, weekend=weekend))
        seen: dict[str, str | None] = {
            "queueId": queue,
            "mediaType": media,
            "direction": direction,
            "originatingDirection": direction,
            "divisionId": agent.division,
            "requestedRoutingSkillId": rng.choice(SKILLS).id if self.batch.chance(0.7) else None,
            "requestedLanguageId": rng.choice(LANGUAGES).id if self.batch.chance(0.9) else None,
            "purpose": "acd",
            "userId": None,
            "teamId": None,
            "wrapUpCode": None,
        }
        taken = {**seen, "purpose": "agent", "userId": agent.id, "teamId": agent.team}
        code = rng.choice(WRAP_UP_CODES).id if self.batch.chance(0.93) else None
        source = rng.getrandbits(48)
        wrapped = Subject({**taken, "wrapUpCode": code}, source)
        return Leg(media, Subject(seen, source), Subject(taken, source), wrapped)

    def _call(self, leg: Leg, at: int) -> None:
        """Post an outbound call: contacting, dialing, and talk if somebody picks up."""
        batch, rng = self.batch, self.batch.rng
        contacting, dialing = rng.randrange(8, 2_000), rng.randrange(300, 45_000)
        batch.post(at, "nOutbound", leg.agent)
        if batch.chance(0.8):
            batch.post(at, "nOutboundAttempted", leg.agent)
        at += contacting
        batch.post(at, "tContacting", leg.agent, contacting)
        at += dialing
        batch.post(at, "tDialing", leg.agent, dialing)
        if batch.chance(0.45):
            batch.post(at, "nConnected", leg.agent)
            self._handle(leg, at, contacting + dialing)
        else:
            self._wrap_up(leg, at, contacting + dialing)

    def _offer(self, leg: Leg, at: int) -> None:
        """Post an inbound conversation that waits until it is answered, abandoned or flows out."""
        batch = self.batch
        wait = min(int(batch.rng.expovariate(1 / _WAIT[leg.media])) + 90, _LONGEST_WAIT)
        batch.post(at, "nOffered", leg.queue)
        at += wait
        batch.post(at, "tWait", leg.queue, wait)
        batch.post(at, "tAcd", leg.queue, wait)
        fate = batch.rng.random()
        if fate < 0.03:  # noqa: PLR2004
            batch.post(at, "tFlowOut", leg.queue, wait)
            return
        answered = fate > 0.11  # noqa: PLR2004
        in_time = answered and wait <= _IN_TIME[leg.media]
        batch.post(at, "oServiceLevel", leg.queue, int(in_time))
        if not answered:
            batch.post(at, "tAbandon", leg.queue, wait)
            if wait < _SHORT_ABANDON:
                batch.post(at, "tShortAbandon", leg.queue, wait)
            return
        if not in_time:
            batch.post(at, "nOverSla", leg.queue)
        self._answer(leg, at, wait)

    def _answer(self, leg: Leg, at: int, wait: int) -> None:
        batch = self.batch
        if batch.chance(0.03):
            batch.post(at, "tNotResponding", leg.agent, batch.rng.randrange(8_000, 20_000))
        batch.post(at, "tAlert", leg.agent, min(wait, batch.rng.randrange(500, 9_000)))
        batch.post(at, "tAnswered", leg.agent, wait)
        batch.post(at, "nConnected", leg.agent)
        if not batch.chance(0.08):
            self._handle(leg, at, 0)
            return
        at = self._handle(leg, at, 0, longest=_LONGEST_BEFORE_TRANSFER)
        batch.post(at, "nTransferred", leg.agent)
        batch.post(at, "nBlindTransferred" if batch.chance(0.7) else "nConsultTransferred", leg.agent)
        onward = self._new_leg("inbound")
        batch.post(at, "nOffered", onward.queue)
        batch.post(at + 90, "tWait", onward.queue, 90)
        batch.post(at + 90, "tAcd", onward.queue, 90)
        batch.post(at + 90, "oServiceLevel", onward.queue, 1)
        batch.post(at + 90, "tAnswered", onward.agent, 90)
        batch.post(at + 90, "nConnected", onward.agent)
        self._handle(onward, at + 90, 0, longest=HOUR)

    def _handle(self, leg: Leg, at: int, before: int, longest: int = _LONGEST_TALK) -> int:
        """Post talk, perhaps with a hold, then wrap-up; return when the talk ended."""
        batch, rng = self.batch, self.batch.rng
        length = rng.expovariate(1 / _TALK[leg.media]) * (12 if batch.chance(0.01) else 1)
        talk = min(int(length) + 350, longest)
        held = rng.randrange(1_000, 90_000) if batch.chance(0.12) else 0
        if held:
            first = talk // 3
            batch.post(at + first, "tTalk", leg.agent, first)
            batch.post(at + first + held, "tHeld", leg.agent, held)
            batch.post(at + held + talk, "tTalk", leg.agent, talk - first)
            batch.post(at + held + talk, "tHeldComplete", leg.agent, held)
        else:
            batch.post(at + talk, "tTalk", leg.agent, talk)
        at += held + talk
        batch.post(at, "tTalkComplete", leg.agent, talk)
        self._wrap_up(leg, at, before + talk + held)
        return at

    def _wrap_up(self, leg: Leg, at: int, before: int) -> None:
        """Post after-call work (usually) and the handle time."""
        acw = self.batch.rng.randrange(1_000, 65_000) if self.batch.chance(0.9) else 0
        if acw:
            self.batch.post(at + acw, "tAcw", leg.wrapped, acw)
        self.batch.post(at + acw, "tHandle", leg.wrapped, before + acw)
