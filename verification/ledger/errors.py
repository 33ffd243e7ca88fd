"""What can be wrong with entries, proofs and checkpoints. No text quotes an entry's values.

LedgerError
|-- CanonicalError     a value or its bytes are not in the form of an entry
|-- TreeError          sizes, indexes or hashes that no tree can have
|   `-- ProofError     a proof does not lead to the root
|-- NoteError          bytes that are not a signed note, a key or a checkpoint
|   `-- SignatureError nobody trusted signed, or a trusted key's signature is wrong
|-- AuditError         the log breaks at a named place
`-- WitnessError       a witness's key, memory or clock is not fit to cosign with
"""

from verification.errors import VerificationError
from verification.ledger.findings import Finding


class LedgerError(VerificationError):
    """Base: the same bytes fail again, so repeating is useless."""


class CanonicalError(LedgerError):
    """A value that cannot be an entry, or bytes that are not exactly its canonical form."""


class TreeError(LedgerError):
    """A size, an index or a hash that does not fit the tree."""


class ProofError(TreeError):
    """A proof that does not lead from what is claimed to the root."""


class NoteError(LedgerError):
    """Bytes or fields that are not a signed note, a verifier key or a checkpoint."""


class SignatureError(NoteError):
    """No trusted key signed the note, or a trusted key's signature does not verify."""


class AuditError(LedgerError):
    """The log does not hold what it promises; `finding` says where it breaks first, and how."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


class WitnessError(LedgerError):
    """A witness cannot do its work: its key file, its memory or its clock needs its operator."""
