"""What the auditor's pack says of itself. It is tested: the commands in it work."""

README = """\
AUDITOR'S PACK

Pack   {pack}
Taken  {at}

That this pack was taken is an entry of the log, made before its first byte left.
It holds nothing about the persons who were verified. It does name members of the staff.

WHAT IS IN IT

matrix.csv, matrix.html   what is asked for, which control answers it, and how that stands
results.json              the last check of the controls, with its evidence; null before the first
checkpoint.txt            the newest signed checkpoint of the log: its size and root
vkeys.txt                 the public keys that the operator says the log is signed with
verify_proof.py           the program that checks proofs: one file, read it
verification.json         the last time that log and records were held against each other
roles.csv                 who holds which role
policies.json             the versions of the review policy
guards.json               the guarded tables, and guards that are not as they were installed
SHA256SUMS                the digests of all of the above:  sha256sum --check SHA256SUMS

HOW TO CHECK IT WITHOUT US

1. The results are those of the log. The digest in results.json is over the results themselves;
   this prints it again:

   python3 -c "import hashlib, json; r = json.load(open('results.json'))['results']; print(hashlib.sha256(json.dumps({{k: [v['state'], v['sentence'], v['evidence']] for k, v in r.items()}}, sort_keys=True, separators=(',', ':')).encode()).hexdigest())"

   The same digest stands in the entry "controls.checked" of the log, with the id of the run.

2. The log is the one that others saw. Get its public key by another way than this pack, and compare
   it with vkeys.txt. Keep checkpoint.txt: a later proof must lead on from it. Compare it with a
   checkpoint of a witness, of an earlier export, or of an earlier pack.

3. Single records hold. Ask the operator for a proof of an attempt of your choice (ledger_prove),
   and check it on a machine of your own, with the key from step 2:

   python3 -m venv venv && venv/bin/pip install cryptography
   venv/bin/python -I verify_proof.py proof.json --key "$KEY" --anchor checkpoint.txt

4. All records hold. Have ledger_verify run before your eyes, with the checkpoints that you kept
   (--anchor), and see that it ends with 0.

WHAT IT DOES NOT SHOW

A check says how a control stood at that moment, and it was run by the operator's own program. What
stands on the log does not depend on that program: steps 2 and 3 need nothing of ours but one file.
Lines that say "no check" are duties of the operator. This is a map and no legal advice.
"""  # noqa: E501 - a command is one line
