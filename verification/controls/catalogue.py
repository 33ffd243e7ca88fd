"""The controls: what each holds, how it is checked, and what to do when it fails."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Control:
    """A control, and the check that has its id."""

    id: str
    title: str
    holds: str
    checked: str
    remedy: str


CONTROLS = (
    Control(
        "guards",
        "Records cannot be changed in the database",
        "Triggers refuse to change, delete or empty what is recorded, for every role and setting.",
        "The triggers and functions in the database are compared, byte for byte, with those of the "
        "migrations, and must be on for everybody.",
        "Find out who lifted a guard, put it back, then run ledger_verify.",
    ),
    Control(
        "database_role",
        "The service has no more rights in the database than its work needs",
        "The process cannot lift a guard, delete a record or write to the log.",
        "What the role of the checking process may do is compared with the list of its kind. The "
        "daily check looks at the worker's role, a check from the admin at the web's.",
        "Set DATABASE_ROLE, and run database_grant as the owner.",
    ),
    Control(
        "ledger_verified",
        "Log and records were held against each other within a day",
        "Every record is what its entries say, and every entry stands under a signed checkpoint.",
        "The last verification is read: it must have found nothing, at most 26 hours ago.",
        "Run ledger_verify. If it finds something, keep its output and raise an incident.",
    ),
    Control(
        "checkpoint_fresh",
        "The log is signed all the time",
        "What happened is sealed within a minute.",
        "The newest checkpoint must be at most two minutes old.",
        "See whether worker_run runs, and what it logs.",
    ),
    Control(
        "anchored",
        "Checkpoints leave the database",
        "A rewrite of the whole log would be seen outside.",
        "The newest checkpoint in the anchor file, or the newest cosignature of a witness, must be "
        "at most 24 hours old.",
        "Configure an anchor file or a witness; see that the worker can write to it or reach it.",
    ),
    Control(
        "records_kept",
        "No attempt that was accepted is missing",
        "Each accepted attempt has its row and its entry, back to the first one.",
        "Rows of attempts are counted against the entries that tell of their acceptance.",
        "Run ledger_verify: it names the records. Restore from a backup; keep the damaged state.",
    ),
    Control(
        "reveals_on_record",
        "Nobody sees biometric data unnoticed",
        "Each reveal of evidence has its row and its entry.",
        "Rows of reveals are counted against the entries that tell of them.",
        "Run ledger_verify, and compare access_report with what people remember.",
    ),
    Control(
        "exports_on_record",
        "No export leaves unnoticed",
        "Each export that a member of the staff took has an entry.",
        "Each row of an export is looked for in the log, by its id.",
        "Run ledger_verify, and ask who took the exports that the evidence names.",
    ),
    Control(
        "erasures_done",
        "Evidence is erased when two people agreed, and only then",
        "An approved erasure has destroyed the key; no key was destroyed without one.",
        "Approved erasures and destroyed keys are matched.",
        "Erase what was approved with evidence_erase; look into keys destroyed without approval.",
    ),
    Control(
        "four_eyes",
        "Nobody approved their own request",
        "Reviews, erasures, exports, policies and rights that take two people had two.",
        "Rows in which both people are the same are counted, table by table.",
        "Find the rows and who wrote them: only the owner of the tables can have.",
    ),
    Control(
        "rights_sealed",
        "Rights grow by two people only",
        "Nobody alone can give a role, wake an account or make a superuser.",
        "The seal of rights must be set.",
        "Run rights_seal as the owner.",
    ),
    Control(
        "second_factor",
        "A password alone lets nobody in",
        "Every active member of the staff has enrolled a second factor, and it is asked for.",
        "The setting must be on, and every active account of the staff have a confirmed factor.",
        "Switch SECOND_FACTOR on; have the accounts log in once, or switch them off.",
    ),
    Control(
        "lockout",
        "Guessing passwords is slowed down",
        "After some wrong passwords a name is locked for a while.",
        "The table that counts wrong passwords must count: its key stands, no trigger or rule "
        "interferes. The limits are in the evidence.",
        "Restore the table as the migrations made it.",
    ),
    Control(
        "session_limits",
        "Sessions of the staff end",
        "A session ends after a time without use, and after a working day whatever happens.",
        "The limits in force must be at most one hour idle and 24 hours in all, and be applied.",
        "Lower SESSION_IDLE_S and SESSION_ABSOLUTE_S; keep the middleware that applies them.",
    ),
    Control(
        "evidence_keys",
        "Kept evidence is encrypted, and can be opened by the keyring alone",
        "Every stored key is wrapped under a key of the keyring.",
        "Each key of the keyring opens a probe, none that is in use is missing, and the newest "
        "evidence keys are unwrapped as a sample.",
        "Put the missing key back into the keyring before anything else is rotated.",
    ),
    Control(
        "deployment",
        "The site is served safely",
        "No debugging, TLS only, cookies that do not leave it.",
        "DEBUG must be off, and Django's checks for a deployment find nothing.",
        "Run manage.py check --deploy and follow what it says.",
    ),
    Control(
        "database_logging",
        "The database's own log holds no personal data",
        "Statements and values do not reach the server's log files.",
        "The server's settings for statements, errors and parameters are read.",
        "Set them as docs/how-to/run-in-production.md says.",
    ),
    Control(
        "worker_alive",
        "Background work is done",
        "Figures, verification and retention do not stand still unseen.",
        "The worker must have counted the log's entries within the last ten minutes.",
        "See whether worker_run runs, and what it logs.",
    ),
)
