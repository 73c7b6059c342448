-- Times are Unix milliseconds. The words for states are those of the manual.

CREATE TABLE contacts (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    provider     TEXT NOT NULL,
    -- What a send is addressed with now; former ids live on in aliases.
    user_id      TEXT,
    parent_id    TEXT,
    phone        TEXT,
    username     TEXT,
    name         TEXT,
    language     TEXT,
    -- What the business wrote down about them.
    notes        TEXT NOT NULL DEFAULT '',
    opted_out    INTEGER NOT NULL DEFAULT 0,
    opted_out_at INTEGER,
    -- When the latest words about consent were written, in the provider's time.
    consent_at   INTEGER,
    marketing    INTEGER NOT NULL DEFAULT 1,
    marketing_at INTEGER,
    -- The older contact that this one turned out to be.
    linked       INTEGER REFERENCES contacts (id),
    created_at   INTEGER NOT NULL
) STRICT;

CREATE INDEX contacts_linked ON contacts (linked) WHERE linked IS NOT NULL;

CREATE TABLE aliases (
    provider TEXT NOT NULL,
    scheme   TEXT NOT NULL CHECK (scheme IN ('user_id', 'parent_id', 'phone')),
    value    TEXT NOT NULL,
    contact  INTEGER NOT NULL REFERENCES contacts (id),
    -- A former id still finds its person, but teaches nothing about them any more.
    retired  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (provider, scheme, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_value ON aliases (value);
CREATE INDEX aliases_contact ON aliases (contact);

CREATE TABLE conversations (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    account          TEXT NOT NULL,
    contact          INTEGER NOT NULL REFERENCES contacts (id),
    reply_due        INTEGER,
    deliver_due      INTEGER,
    -- When the oldest waiting message came, for the longest quiet window.
    waiting_since    INTEGER,
    -- The number of the latest call to a responder, and whether its result is still awaited.
    attempt          INTEGER NOT NULL DEFAULT 0,
    attempt_open     INTEGER NOT NULL DEFAULT 0,
    -- Calls made for the messages that wait now.
    attempts         INTEGER NOT NULL DEFAULT 0,
    attempts_first   INTEGER,
    reply_blocked    INTEGER NOT NULL DEFAULT 0,
    -- Whether the customer was told of a failure and has had no answer since.
    apologised       INTEGER NOT NULL DEFAULT 0,
    -- How often in a row the process ended uncleanly while a plugin worked on this conversation, and when it last did.
    crashes          INTEGER NOT NULL DEFAULT 0,
    crashed_at       INTEGER,
    error            TEXT,
    last_at          INTEGER,
    -- When the customer last wrote something that opens the reply window, in the provider's time; whether the provider has said
    -- since that it is closed; and the template that was queued since, to ask them to write again.
    customer_at      INTEGER,
    window_closed    INTEGER NOT NULL DEFAULT 0,
    reopen_message   INTEGER,
    -- Who answers, and when SARA does again by itself; since when the customer waits for a person.
    mode             TEXT NOT NULL DEFAULT 'bot' CHECK (mode IN ('bot', 'human', 'paused')),
    mode_until       INTEGER,
    -- When an operator last ended a handoff: echoes from before that do not begin a new one.
    resumed_at       INTEGER,
    person_since     INTEGER,
    -- When the timers are to be looked at. Whether we asked once more since the customer wrote, and when it was closed for silence.
    timer_due        INTEGER,
    followed_up      INTEGER NOT NULL DEFAULT 0,
    closed_at        INTEGER,
    -- The first message that is still history, and what was said in this session up to a message, in short.
    session_start    INTEGER NOT NULL DEFAULT 0,
    summary          TEXT NOT NULL DEFAULT '',
    summary_to       INTEGER NOT NULL DEFAULT 0,
    -- Replies to the waiting messages that were discarded because the customer wrote more.
    discarded_replies INTEGER NOT NULL DEFAULT 0,
    -- Since and until when a gate of a plugin puts the waiting messages off.
    deferred_at      INTEGER,
    deferred_until   INTEGER,
    reserved         TEXT,
    created_at       INTEGER NOT NULL,
    UNIQUE (account, contact)
) STRICT;
CREATE INDEX conversations_reply_due ON conversations (reply_due) WHERE reply_due IS NOT NULL;
CREATE INDEX conversations_deliver_due ON conversations (deliver_due) WHERE deliver_due IS NOT NULL;
CREATE INDEX conversations_timer_due ON conversations (timer_due) WHERE timer_due IS NOT NULL;
CREATE INDEX conversations_open ON conversations (id) WHERE reply_due IS NOT NULL OR deliver_due IS NOT NULL OR timer_due IS NOT NULL;
CREATE INDEX conversations_person ON conversations (person_since) WHERE person_since IS NOT NULL;
CREATE INDEX conversations_contact ON conversations (contact);
CREATE INDEX conversations_last ON conversations (last_at);

CREATE TABLE replies (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation  INTEGER NOT NULL REFERENCES conversations (id),
    last_answered INTEGER NOT NULL,
    attempt       INTEGER NOT NULL,
    input_tokens  INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    model         TEXT NOT NULL DEFAULT '',
    created_at    INTEGER NOT NULL,
    UNIQUE (conversation, last_answered)
) STRICT;

-- Both directions in one table: the order of ids is the order of the conversation.
CREATE TABLE messages (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation  INTEGER NOT NULL REFERENCES conversations (id),
    account       TEXT NOT NULL,
    direction     TEXT NOT NULL CHECK (direction IN ('in', 'out')),
    external_id   TEXT,
    digest        TEXT,
    kind          TEXT NOT NULL,
    text          TEXT NOT NULL,
    content       TEXT NOT NULL DEFAULT '{}',
    raw           TEXT NOT NULL DEFAULT '',
    state         TEXT NOT NULL CHECK (state IN (
        'waiting', 'answered', 'skipped', 'dead', 'quarantined',
        'queued', 'sending', 'accepted', 'sent', 'delivered', 'read', 'in_doubt', 'parked', 'held', 'cancelled', 'failed')),
    reason        TEXT,
    purpose       TEXT CHECK (purpose IN ('reply', 'notice', 'operator', 'template')),
    reply         INTEGER REFERENCES replies (id),
    reply_to      TEXT,
    -- Of an edit or a deletion: the provider's id of the message that it changes, and what that says from then on (JSON), unless
    -- a later deletion took it back. Of any message: when its author deleted it.
    corrects      TEXT,
    correction    TEXT,
    withdrawn_at  INTEGER,
    at            INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    -- Inbound: when an operator gave it another chance. Outbound: when it may be looked at, the attempts charged to it, how many
    -- of its doubts ended without proof that receipts come in, and how often it was requeued after the provider had failed it.
    retried_at    INTEGER,
    -- Inbound: for how long gates of plugins have put it off.
    deferred_ms   INTEGER NOT NULL DEFAULT 0,
    not_before    INTEGER NOT NULL DEFAULT 0,
    attempts      INTEGER NOT NULL DEFAULT 0,
    attempts_first INTEGER,
    unverified    INTEGER NOT NULL DEFAULT 0,
    requeued      INTEGER NOT NULL DEFAULT 0,
    error         TEXT,
    -- Outbound: the conversation that a notification of an operator is about.
    about         INTEGER REFERENCES conversations (id)
) STRICT;
CREATE UNIQUE INDEX messages_external ON messages (account, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX messages_external_id ON messages (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX messages_corrects ON messages (account, corrects) WHERE corrects IS NOT NULL;
CREATE UNIQUE INDEX messages_digest ON messages (account, digest) WHERE digest IS NOT NULL;
CREATE INDEX messages_conversation ON messages (conversation, id);
CREATE INDEX messages_waiting ON messages (conversation, id) WHERE state = 'waiting';
CREATE INDEX messages_dead ON messages (conversation, id) WHERE state = 'dead';
-- What counts towards the limits of a person: however much of a flood was skipped, it is not read to count what was not.
CREATE INDEX messages_counted ON messages (conversation, id) WHERE direction = 'in' AND state IN ('waiting', 'answered', 'dead');
CREATE INDEX messages_unsettled ON messages (conversation, id) WHERE state IN ('queued', 'sending', 'in_doubt');
CREATE INDEX messages_parked ON messages (conversation, id) WHERE state = 'parked';
CREATE INDEX messages_state ON messages (direction, state);
CREATE INDEX messages_trouble ON messages (created_at) WHERE state IN ('dead', 'quarantined', 'failed', 'held', 'in_doubt');
CREATE INDEX messages_reply ON messages (reply) WHERE reply IS NOT NULL;

-- Files that messages bring. `at` is the message's own; `file` is a name in the media folder. `due` is when fetching it is tried
-- next, after so many `tries` that failed; null once it is settled.
CREATE TABLE attachments (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    message   INTEGER NOT NULL REFERENCES messages (id),
    account   TEXT NOT NULL,
    position  INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    mime      TEXT NOT NULL,
    reference TEXT NOT NULL,
    name      TEXT,
    voice     INTEGER NOT NULL DEFAULT 0,
    url       TEXT,
    sha256    TEXT,
    size      INTEGER,
    file      TEXT,
    error     TEXT,
    kept_at   INTEGER,
    due       INTEGER,
    tries     INTEGER NOT NULL DEFAULT 0,
    UNIQUE (message, position)
) STRICT;
CREATE INDEX attachments_due ON attachments (account, due) WHERE due IS NOT NULL;
CREATE INDEX attachments_contents ON attachments (sha256) WHERE file IS NOT NULL;
CREATE INDEX attachments_file ON attachments (file) WHERE file IS NOT NULL;
CREATE INDEX attachments_age ON attachments (at, id) WHERE file IS NOT NULL;

CREATE TABLE attempts (
    id          TEXT PRIMARY KEY,
    message     INTEGER NOT NULL REFERENCES messages (id),
    owner       TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('sending', 'in_doubt', 'not_sent', 'refused', 'accepted')),
    started_at  INTEGER NOT NULL,
    settled_at  INTEGER,
    external_id TEXT,
    -- The furthest that a receipt has told of it.
    status      TEXT CHECK (status IN ('sent', 'delivered', 'read', 'failed')),
    error       TEXT,
    -- Whether its failure, told later, put its part back to be sent again; its price, and whether it was counted for the budget.
    requeued    INTEGER NOT NULL DEFAULT 0,
    price       TEXT,
    counted     INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_message ON attempts (message, started_at);
CREATE INDEX attempts_external ON attempts (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX attempts_sending ON attempts (owner) WHERE state = 'sending';
CREATE INDEX attempts_in_doubt ON attempts (message) WHERE state = 'in_doubt';

-- Receipts that came before the answer to the request they belong to.
CREATE TABLE early_receipts (
    id          INTEGER PRIMARY KEY,
    account     TEXT NOT NULL,
    external_id TEXT NOT NULL,
    status      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    code        TEXT,
    reason      TEXT,
    follows     TEXT NOT NULL DEFAULT 'fail',
    after       INTEGER,
    pricing     TEXT,
    counts      INTEGER NOT NULL DEFAULT 0,
    kept_at     INTEGER NOT NULL,
    UNIQUE (account, external_id, status)
) STRICT;

CREATE INDEX early_receipts_age ON early_receipts (kept_at);

-- Messages of a month (UTC, `2026-11`) by price, and under `counted` those that count for the budget.
CREATE TABLE message_counts (
    account TEXT NOT NULL,
    month   TEXT NOT NULL,
    what    TEXT NOT NULL,
    n       INTEGER NOT NULL,
    PRIMARY KEY (account, month, what)
) STRICT, WITHOUT ROWID;

-- When each of SARA's own notices was last sent.
CREATE TABLE notices_sent (
    conversation INTEGER NOT NULL REFERENCES conversations (id),
    key          TEXT NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (conversation, key)
) STRICT, WITHOUT ROWID;

-- How many messages came to an account in a minute (Unix time) or a day (`d` before it).
CREATE TABLE rate_counts (
    account TEXT NOT NULL,
    period  TEXT NOT NULL,
    n       INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (account, period)
) STRICT, WITHOUT ROWID;
CREATE INDEX rate_counts_age ON rate_counts (at);

-- AI usage of a day or a month, with the reservations of running calls.
CREATE TABLE ai_usage (
    period TEXT PRIMARY KEY,
    calls  INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    cost_micros INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Calls of tools, written down before they are made. `turn` is the oldest message that waited for the answer.
CREATE TABLE tool_calls (
    id           INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversations (id),
    turn         INTEGER NOT NULL,
    name         TEXT NOT NULL,
    arguments    TEXT NOT NULL,
    occurrence   INTEGER NOT NULL,
    result       TEXT,
    started_at   INTEGER NOT NULL,
    ended_at     INTEGER,
    UNIQUE (conversation, turn, name, arguments, occurrence)
) STRICT;

-- Changes told by the provider that were applied: told again, they change nothing.
CREATE TABLE applied_changes (
    digest  TEXT PRIMARY KEY,
    at      INTEGER NOT NULL,
    -- Whom it was about.
    contact INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX applied_changes_contact ON applied_changes (contact) WHERE contact IS NOT NULL;
CREATE INDEX applied_changes_age ON applied_changes (at);

-- What the provider told of the account itself: what of it still stands is to be seen also after a restart.
CREATE TABLE account_events (
    id      INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    kind    TEXT NOT NULL,
    subject TEXT NOT NULL,
    summary TEXT NOT NULL,
    at      INTEGER NOT NULL,
    serious INTEGER NOT NULL,
    ends    TEXT NOT NULL
) STRICT;
CREATE INDEX account_events_age ON account_events (at);

CREATE TABLE events (
    id           INTEGER PRIMARY KEY,
    at           INTEGER NOT NULL,
    conversation INTEGER,
    message      INTEGER,
    what         TEXT NOT NULL,
    detail       TEXT NOT NULL DEFAULT '',
    actor        TEXT NOT NULL DEFAULT 'sara'
) STRICT;
CREATE INDEX events_message ON events (message, id) WHERE message IS NOT NULL;
CREATE INDEX events_conversation ON events (conversation, id) WHERE conversation IS NOT NULL;

CREATE TABLE unparsed_payloads (
    id      INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    reason  TEXT NOT NULL,
    body    BLOB NOT NULL,
    digest  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    UNIQUE (account, digest)
) STRICT;

-- Each run of the daemon; one without an end was not shut down cleanly.
CREATE TABLE processes (
    owner      TEXT PRIMARY KEY,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    unclean    INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX processes_started ON processes (started_at);

CREATE TABLE accounts (
    account    TEXT PRIMARY KEY,
    webhook_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    kind     TEXT NOT NULL,
    key      TEXT NOT NULL,
    lane     TEXT NOT NULL,
    due      INTEGER NOT NULL,
    priority INTEGER NOT NULL DEFAULT 0,
    stamp    INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_lane ON jobs (lane, priority DESC, due);
CREATE INDEX jobs_due ON jobs (due);

-- What people may ask for: finding, erasing, and keeping no longer than needed.

CREATE INDEX messages_about ON messages (about) WHERE about IS NOT NULL;
CREATE INDEX messages_age ON messages (created_at);
CREATE INDEX unparsed_payloads_age ON unparsed_payloads (at);
CREATE INDEX events_of_nobody ON events (at) WHERE conversation IS NULL AND message IS NULL;

-- Full-text index of the messages, kept up to date by triggers.
CREATE VIRTUAL TABLE messages_text USING fts5 (
    text, content = 'messages', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2', prefix = '3'
);
CREATE TRIGGER messages_text_insert AFTER INSERT ON messages BEGIN
    INSERT INTO messages_text (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER messages_text_delete AFTER DELETE ON messages BEGIN
    INSERT INTO messages_text (messages_text, rowid, text) VALUES ('delete', old.id, old.text);
END;
CREATE TRIGGER messages_text_update AFTER UPDATE OF text ON messages BEGIN
    INSERT INTO messages_text (messages_text, rowid, text) VALUES ('delete', old.id, old.text);
    INSERT INTO messages_text (rowid, text) VALUES (new.id, new.text);
END;

-- Contacts that are being erased: first their rows, then (`rows_gone`) the bytes that the file still holds.
CREATE TABLE erasures (
    contact   INTEGER PRIMARY KEY,
    began_at  INTEGER NOT NULL,
    rows_gone INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What has to be recognised although it was erased, as keyed hashes: until `until` messages and changes that the provider may deliver
-- again, for ever the ids of a `person` who wanted silence since `at`.
CREATE TABLE tombstones (
    digest BLOB PRIMARY KEY,
    at     INTEGER NOT NULL,
    until  INTEGER,
    person INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstones_until ON tombstones (until) WHERE until IS NOT NULL;
CREATE INDEX tombstones_person ON tombstones (person) WHERE person IS NOT NULL;
