"""Lines of requirements, in our own words, and which controls answer them.

A line without a control is the operator's own duty. Where the number of an article could not be
verified, `place` is None. This is a map for auditors and no legal advice.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instrument:
    """A law, regulation or standard."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Line:
    """One requirement; `place` is None where its number was not verified.

    `duty` is what is left to the operator, or what no check covers.
    """

    id: str
    instrument: str
    place: str | None
    subject: str
    says: str
    controls: tuple[str, ...] = ()
    duty: str = ""


INSTRUMENTS = (
    Instrument("fatf", "FATF Recommendations"),
    Instrument("mas_trm", "MAS Technology Risk Management Guidelines, January 2021 (Singapore)"),
    Instrument(
        "pojk_8_2023",
        "POJK 8/2023, anti-money-laundering programmes in the financial sector (Indonesia)",
    ),
    Instrument("uu_pdp", "UU 27/2022, protection of personal data (Indonesia)"),
    Instrument("gdpr", "GDPR, Regulation (EU) 2016/679"),
    Instrument("pci_dss", "PCI DSS 4.0, requirement 10, as a yardstick"),
)

LINES = (
    Line(
        "fatf-1", "fatf", "Recommendation 11", "Five years",
        "Records of transactions and of customer due diligence are kept for at least five years.",
        ("guards", "records_kept"),
        "The service deletes no record; how long database and backups live is yours to see to.",
    ),
    Line(
        "fatf-2", "fatf", "Recommendation 11", "Sufficient to reconstruct",
        "Records suffice to reconstruct what happened, and to serve as evidence.",
        ("records_kept", "ledger_verified", "checkpoint_fresh", "anchored"),
    ),
    Line(
        "fatf-3", "fatf", "Recommendation 11", "Available swiftly",
        "Records can be given to competent authorities swiftly, upon appropriate authority.",
        ("worker_alive", "exports_on_record"),
        "Who may ask, and who answers, is yours to lay down.",
    ),
    Line(
        "mas-1", "mas_trm", "Section 9, Access Control", "Least privilege",
        "People and processes have the access their work needs, approved before it is given.",
        ("database_role", "rights_sealed"),
        "Review regularly who holds which role; the auditor's pack lists them.",
    ),
    Line(
        "mas-2", "mas_trm", "Section 9, Access Control", "Nobody alone",
        "Sensitive work takes more than one person.",
        ("four_eyes", "rights_sealed"),
    ),
    Line(
        "mas-3", "mas_trm", "Section 9, Access Control", "Strong authentication",
        "Access is protected by more than a password, against guessing, and ends.",
        ("second_factor", "lockout", "session_limits"),
    ),
    Line(
        "mas-4", "mas_trm", "Section 10, Cryptography", "Encryption and its keys",
        "Data is protected by sound cryptography, and keys are managed through their life.",
        ("evidence_keys",),
        "When a key is rotated, and where the keyring is kept, is yours to lay down.",
    ),
    Line(
        "mas-5", "mas_trm", "Section 11, Data and Infrastructure Security", "Data at rest",
        "Confidential data is protected where it is stored and where it leaves.",
        ("evidence_keys", "exports_on_record", "database_logging", "deployment"),
        "Disks, backups and network of the servers are yours.",
    ),
    Line(
        "mas-6", "mas_trm", None, "Audit logs",
        "Logs tell who did what, are protected from change, and are kept.",
        ("guards", "ledger_verified", "checkpoint_fresh", "anchored"),
        "Somebody must read them.",
    ),
    Line(
        "mas-7", "mas_trm", None, "IT audit",
        "Controls are audited independently and regularly.",
        (),
        "Yours alone: an audit needs a person who is independent of whoever runs the service.",
    ),
    Line(
        "pojk-1", "pojk_8_2023", None, "Keeping documents",
        "Documents of customers and of their verification are kept for the time the law sets.",
        ("guards", "records_kept", "ledger_verified"),
        "The time, and what else belongs to the file of a customer, is yours to lay down.",
    ),
    Line(
        "pojk-2", "pojk_8_2023", None, "Electronic verification",
        "Identity may be verified electronically, with means that hold up.",
        ("records_kept", "four_eyes"),
        "Which means, thresholds and second looks are enough is decided in the review policy.",
    ),
    Line(
        "pojk-3", "pojk_8_2023", None, "Internal control",
        "The programme is controlled inside and audited independently.",
        ("four_eyes", "rights_sealed"),
        "The audit itself, training, and reports to the authority are yours.",
    ),
    Line(
        "pdp-1", "uu_pdp", "Article 31", "Recording the processing",
        "The controller records all processing of personal data.",
        ("records_kept", "reveals_on_record", "exports_on_record", "ledger_verified"),
        "Processing outside this service is not recorded here.",
    ),
    Line(
        "pdp-2", "uu_pdp", "Article 35", "Security",
        "The controller protects personal data by technical and operational measures that fit the "
        "risk.",
        ("evidence_keys", "deployment", "database_logging"),
    ),
    Line(
        "pdp-3", "uu_pdp", "Article 39", "Unauthorised access",
        "The controller prevents access by who may not, with a security system.",
        ("second_factor", "lockout", "session_limits", "database_role", "reveals_on_record"),
    ),
    Line(
        "pdp-4", "uu_pdp", "Articles 42 to 44", "Ending, deleting, destroying",
        "Processing ends and data goes when its time or purpose is over, or the person asks.",
        ("erasures_done",),
        "When the time is over is yours to lay down and to start.",
    ),
    Line(
        "pdp-5", "uu_pdp", "Article 46", "Telling of a failure",
        "Persons and authority are told in writing of a failure of protection within three days.",
        (),
        "Yours alone. The log says what was seen, by whom and when.",
    ),
    Line(
        "gdpr-1", "gdpr", "Article 5(1)(e)", "Storage limitation",
        "Data that identifies people is kept no longer than its purpose needs.",
        ("erasures_done",),
        "The periods are yours to lay down.",
    ),
    Line(
        "gdpr-2", "gdpr", "Article 17", "Erasure",
        "Personal data is erased without undue delay where a ground and no exception applies.",
        ("erasures_done", "four_eyes"),
        "Whether a ground or an exception applies is decided by people.",
    ),
    Line(
        "gdpr-3", "gdpr", "Article 30", "Records of processing activities",
        "Controller and processor keep a record of their processing activities.",
        (),
        "Yours alone: the log tells of single acts, which is not this record.",
    ),
    Line(
        "gdpr-4", "gdpr", "Article 32", "Security of processing",
        "Measures fit the risk: encryption, integrity, and regular tests of whether they work.",
        ("evidence_keys", "guards", "second_factor", "deployment"),
    ),
    Line(
        "pci-1", "pci_dss", "10.2.1", "What is logged",
        "Access to sensitive data, acts of administrators, and failed logins are logged.",
        ("reveals_on_record", "exports_on_record", "records_kept"),
        "Logins that failed and changes of rights are entries as well; no check counts them.",
    ),
    Line(
        "pci-2", "pci_dss", "10.3.1", "Who may read the logs",
        "Only those read logs whose work needs it.",
        ("database_role", "second_factor"),
    ),
    Line(
        "pci-3", "pci_dss", "10.3.2", "Logs cannot be changed",
        "Logs are protected from change by individuals.",
        ("guards", "database_role"),
    ),
    Line(
        "pci-4", "pci_dss", "10.3.3", "Logs are kept elsewhere, too",
        "Logs are promptly backed up to where they are hard to change.",
        ("anchored",),
        "An anchor shows that a log was changed and cannot restore it: backups are yours.",
    ),
    Line(
        "pci-5", "pci_dss", "10.3.4", "Changes are detected",
        "A change of existing log data is detected and raises an alert.",
        ("ledger_verified", "checkpoint_fresh", "worker_alive"),
    ),
    Line(
        "pci-6", "pci_dss", "10.4.1", "Logs are reviewed",
        "Logs of security events are reviewed daily.",
        (),
        "Yours alone: a check finds what it was made for, and people see the rest.",
    ),
    Line(
        "pci-7", "pci_dss", "10.5.1", "Twelve months",
        "Logs are kept for a year, three months of it at hand.",
        ("guards", "records_kept"),
    ),
    Line(
        "pci-8", "pci_dss", "10.6.1", "Clocks",
        "Clocks are synchronised.",
        (),
        "Yours alone: the service believes the clocks of its servers.",
    ),
)  # fmt: skip
