"""The root of every error this app raises on purpose.

VerificationError
|-- faceid.errors.FaceIdError      the vendor was not reached, refused, or left us in doubt
|-- vault.errors.VaultError        a key is missing, or sealed bytes do not open
|-- billing.prices.PriceError      a text is no amount and no currency
|-- billing.months.MonthError      a text is no month
|-- billing.bills.BillError        a line of the vendor's bill is not understood
`-- services.errors.ServiceError   a request that our own rules refuse
"""


class VerificationError(Exception):
    """Base of the errors a caller of this app may want to catch."""
