"""The contract of a store plugin: queries, which change nothing."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from sara.domain.contacts import Identity, SubjectData
from sara.domain.conversations import ConversationSummary, UnhealthyConversation
from sara.domain.delivery import Attempt
from sara.domain.messages import Attachment, Download, HistoryMessage, SearchHit, StoredMessage, TimelineEvent
from sara.domain.time import Instant, Milliseconds
from sara.domain.webhooks import AccountEvent, UnparsedPayload
from sara.plugins.base import PluginObject


class StoreQueries(PluginObject):
    """The reading half of `Store`. Pages hold up to `limit` entries that follow the entry `after`, or the first ones for None."""

    # conversations and messages

    @abstractmethod
    async def conversations(self, limit: int, search: str | None = None) -> Sequence[ConversationSummary]:
        """Return the conversations, those with the newest messages first."""

    @abstractmethod
    async def conversation(self, conversation: str) -> ConversationSummary:
        """Return one conversation. Raises `NotFound` if it does not exist."""

    @abstractmethod
    async def messages(self, conversation: str | None, after: str | None, limit: int) -> Sequence[StoredMessage]:
        """Return a page of stored messages in the order in which they were stored."""

    @abstractmethod
    async def find(self, message: str) -> StoredMessage | None:
        """Return a message by SARA's id or the provider's."""

    @abstractmethod
    async def last_said(self, account: str, person: Identity, quoted: str | None = None) -> HistoryMessage | None:
        """Return the last message sent to a person on an account, if it is among the newest 20 of the conversation.

        Where `quoted` is the provider's id of a message sent to this person, that one is returned. Called while a message is
        accepted: its cost does not grow with the conversation."""

    @abstractmethod
    async def list_failed(self, limit: int) -> Sequence[StoredMessage]:
        """Return messages that need an operator: dead, quarantined, failed, held and parked ones, newest first."""

    @abstractmethod
    async def timeline(self, message: str) -> Sequence[TimelineEvent]:
        """Return all events of the message with SARA's id `message`, in order of time."""

    @abstractmethod
    async def attempts(self, part: str) -> Sequence[Attempt]:
        """Return the attempts to send a message, oldest first."""

    @abstractmethod
    async def events(self, conversation: str, after: str | None, limit: int) -> Sequence[TimelineEvent]:
        """Return a page of the events of a conversation, in the order in which they were recorded."""

    @abstractmethod
    async def search(self, words: str, limit: int) -> Sequence[SearchHit]:
        """Return messages of both directions that contain all these words, newest first.

        The last word may be a prefix, from three letters on. No character has a special meaning. Quarantined texts are not found."""

    # figures

    @abstractmethod
    async def counts(self) -> Mapping[str, int]:
        """Return figures for statistics and problems: `in.<state>`, `out.<state>`, `unparsed_payloads`, `duplicate_sends`,
        `unverified_resolutions`, and `skipped:<reason>` for messages that a gate left unanswered."""

    @abstractmethod
    async def backlog(self, most: int) -> int:
        """Return the number of messages that wait for a reply, counted up to `most` to bound the cost."""

    @abstractmethod
    async def unsettled_accounts(self) -> Mapping[str, int]:
        """Return the number of conversations with open work for each account."""

    @abstractmethod
    async def unhealthy(
        self, now: Instant, unanswered: Milliseconds, person: Milliseconds, limit: int
    ) -> Sequence[UnhealthyConversation]:
        """Return the conversations that need attention.

        They have a message that waits for longer than `unanswered`, a failed reply or an unresolved doubt of the last seven days, or
        a customer who waits for a person for longer than `person`."""

    @abstractmethod
    async def ai_usage(self, period: str) -> Mapping[str, int]:
        """Return what the AI has used in a period (`2026-11-27`, `2026-11`): `calls`, `tokens`, `money` (millionths).

        Reservations of calls under way are included."""

    @abstractmethod
    async def message_counts(self, account: str, month: str) -> Mapping[str, int]:
        """Return the numbers of an account's messages in a month (`2026-11`, UTC) by price, `<type>.<category>` of
        `DeliveryReceipt.pricing`, and as `counted` those that count towards the monthly budget."""

    # webhooks

    async def unparsed_payloads(self, after: str | None, limit: int, since: Instant = 0) -> Sequence[UnparsedPayload]:
        """Return a page of the signed payloads that could not be parsed and were stored at or after `since`, oldest first."""
        return ()

    async def account_events(self, account: str, since: Instant) -> Sequence[AccountEvent]:
        """Return the events of an account at or after `since`, each once, in the order in which they arrived."""
        return ()

    # files

    @abstractmethod
    async def attachments(self, conversation: str, after: str | None, limit: int) -> Sequence[tuple[str, Attachment]]:
        """Return a page of a conversation's attachments, each with the id of its message."""

    @abstractmethod
    async def downloads(self, account: str, limit: int) -> Sequence[Download]:
        """Return an account's pending downloads, the soonest due first.

        A file is due from the moment its message is stored, also where a person answers, until `keep_attachment`. Those of people
        who are being erased are left out."""

    @abstractmethod
    async def download(self, attachment: str) -> Download | None:
        """Return one download, done or not; None if it does not exist or its sender is being erased."""

    @abstractmethod
    async def named_files(self, names: Sequence[str]) -> Collection[str]:
        """Return those of these names in the media folder that belong to an attachment."""

    @abstractmethod
    async def attachment_file(self, sha256: str) -> str | None:
        """Return the name of a stored file with this hash, if there is one, so that equal files are stored once."""

    @abstractmethod
    async def old_files(self, before: Instant, limit: int) -> Sequence[str]:
        """Return the names of up to `limit` stored files, oldest first, all of whose messages are older than `before`."""

    @abstractmethod
    async def forgotten_files(self, limit: int) -> Sequence[str]:
        """Return the names of up to `limit` stored files that only people being erased have sent.

        Remove them and call `forget_files` before `continue_erasure`."""

    def data_directory(self) -> Path | None:
        """Return the folder that holds the data, whose free space is watched; None where it is not on this machine."""
        return None

    # people

    @abstractmethod
    async def subject_data(self, who: str) -> SubjectData | None:
        """Return the person with this contact id, conversation id, number or user id, linked contacts included.

        Raises SaraError where several people match."""
