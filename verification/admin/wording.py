"""What outcomes, states and error codes mean, in words for people.

Sentences about the vendor's codes say what the contract says and no more; a code that is not
here is shown as it came.
"""

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.translation import gettext_noop

from verification.lifecycle import State
from verification.outcomes import Outcome

OUTCOME_SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        Outcome.VERIFIED: gettext_noop("A live person, and the same person as the reference."),
        Outcome.DIFFERENT_PERSON: gettext_noop(
            "A live person, but not the same person as at least one reference."
        ),
        Outcome.LIVENESS_FAILED: gettext_noop(
            "There is no proof that a live person was in front of the camera."
        ),
        Outcome.NOT_COMPLETED: gettext_noop(
            "The check was not completed, so nothing is known about the person."
        ),
        Outcome.SOURCE_FAILED: gettext_noop("The lookup at the data source did not succeed."),
        Outcome.UNRECOGNISED: gettext_noop(
            "FaceID answered with a code that is not interpreted. Nothing is concluded from it."
        ),
    }
)

STATE_SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        State.ACCEPTED: gettext_noop(
            "The attempt is on record and has not been sent to FaceID yet."
        ),
        State.SENDING: gettext_noop(
            "The attempt is being sent to FaceID, or its answer is awaited."
        ),
        State.REJECTED: gettext_noop("FaceID refused the request. Nobody was checked."),
        State.NOT_SENT: gettext_noop(
            "FaceID did not take the attempt. Nothing was checked and nothing was spent."
        ),
        State.IN_DOUBT: gettext_noop(
            "The attempt left for FaceID, and no usable answer came back. "
            "The person may or may not have been verified."
        ),
        State.CLOSED: gettext_noop("The attempt was in doubt and was closed without an answer."),
    }
)

NEXT_STEPS: Mapping[str, str] = MappingProxyType(
    {
        State.ACCEPTED: gettext_noop(
            "Nothing, for now. If it stays like this for more than a minute, tell an operator."
        ),
        State.SENDING: gettext_noop(
            "Nothing, for now. If no answer comes in time, the attempt is marked in doubt."
        ),
        State.REJECTED: gettext_noop(
            "Pass code and argument on to the onboarding team. "
            "The person needs a new session, once the cause is gone."
        ),
        State.NOT_SENT: gettext_noop(
            "The onboarding application may submit the same token again while it is valid."
        ),
        State.IN_DOUBT: gettext_noop(
            "Do not read it as a pass or a fail. FaceID may have processed and billed it. "
            "The token must not be sent again: the person needs a new session for another try."
        ),
        State.CLOSED: gettext_noop("The person needs a new session for another try."),
    }
)

CAUSES: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        (State.REJECTED, "MISSING_ARGUMENTS"): gettext_noop("A required parameter was missing."),
        (State.REJECTED, "BAD_ARGUMENTS"): gettext_noop(
            "A parameter had a value that is not allowed."
        ),
        (State.REJECTED, "IMAGE_ERROR_UNSUPPORTED_FORMAT"): gettext_noop(
            "A reference image could not be read."
        ),
        (State.REJECTED, "NO_FACE_FOUND"): gettext_noop("A reference image shows no face."),
        (State.REJECTED, "INVALID_IMAGE_SIZE"): gettext_noop(
            "A side of a reference image is over 4096 pixels."
        ),
        (State.REJECTED, "MEGLIVE_DATA_ERROR"): gettext_noop(
            "The packet from the phone could not be read."
        ),
        (State.REJECTED, "MEGLIVE_DATA_BIZ_TOKEN_NOT_MATCH"): gettext_noop(
            "The packet from the phone belongs to another token."
        ),
        (State.REJECTED, "AUTHORIZATION_ERROR"): gettext_noop(
            "FaceID did not accept our key or signature."
        ),
        (State.REJECTED, "API_NOT_FOUND"): gettext_noop(
            "The address that was called does not exist."
        ),
        (State.REJECTED, "refused"): gettext_noop("FaceID gave no error code."),
        (State.NOT_SENT, "dns"): gettext_noop(
            "The name of the FaceID server could not be resolved."
        ),
        (State.NOT_SENT, "refused"): gettext_noop("The FaceID server refused the connection."),
        (State.NOT_SENT, "unreachable"): gettext_noop("The FaceID server could not be reached."),
        (
            State.NOT_SENT,
            "connect_timeout",
        ): gettext_noop("The FaceID server did not accept a connection in time."),
        (State.NOT_SENT, "tls"): gettext_noop("No secure connection could be made."),
        (State.NOT_SENT, "deadline"): gettext_noop(
            "The time for the call was over before it could begin."
        ),
        (State.NOT_SENT, "CONCURRENCY_LIMIT_EXCEEDED"): gettext_noop(
            "Too many calls at once; FaceID was busy."
        ),
        (State.NOT_SENT, "concurrency_limit"): gettext_noop(
            "Too many calls at once; FaceID was busy."
        ),
        (State.NOT_SENT, "unavailable"): gettext_noop("FaceID said that it was not available."),
        (State.NOT_SENT, "process_lost"): gettext_noop(
            "The process that should have sent it stopped before."
        ),
        (State.IN_DOUBT, "read_timeout"): gettext_noop(
            "No complete answer came before the deadline."
        ),
        (State.IN_DOUBT, "reset"): gettext_noop("The connection broke."),
        (State.IN_DOUBT, "closed"): gettext_noop("FaceID hung up without an answer."),
        (State.IN_DOUBT, "truncated"): gettext_noop("The answer was cut short."),
        (State.IN_DOUBT, "too_large"): gettext_noop("The answer was larger than the limit."),
        (State.IN_DOUBT, "not_http"): gettext_noop("The answer was not HTTP."),
        (State.IN_DOUBT, "encoded"): gettext_noop(
            "The answer was compressed, which was not asked for."
        ),
        (State.IN_DOUBT, "redirect"): gettext_noop(
            "FaceID pointed to another address, which is never followed."
        ),
        (State.IN_DOUBT, "server_error"): gettext_noop("FaceID reported an error of its own."),
        (
            State.IN_DOUBT,
            "unexpected_status",
        ): gettext_noop("The answer had a status the contract does not name."),
        (State.IN_DOUBT, "invalid_json"): gettext_noop("The answer could not be read."),
        (State.IN_DOUBT, "unexpected_shape"): gettext_noop("The answer does not fit the contract."),
        (State.IN_DOUBT, "result_code_out_of_range"): gettext_noop(
            "The answer's code is not a possible number."
        ),
        (
            State.IN_DOUBT,
            "answer_not_storable",
        ): gettext_noop("The answer holds figures that cannot be recorded."),
        (State.IN_DOUBT, "process_lost"): gettext_noop(
            "The process that awaited the answer stopped."
        ),
    }
)

MEANINGS: Mapping[tuple[int, str], str] = MappingProxyType(
    {
        (1000, "SUCCESS"): gettext_noop("live, and the same person as the reference"),
        (2000, "PASS_LIVING_NOT_THE_SAME"): gettext_noop(
            "live, but not the same person as at least one reference"
        ),
        (4100, "FAIL_LIVING_FACE_ATTACK"): gettext_noop("presentation attack suspected"),
        (4100, "VIDEO_LACK_FRAMES"): gettext_noop("faulty capture, try another phone"),
        (4100, "FAIL_EYES_CLOSE_DETECTION"): gettext_noop("eyes-closed check failed"),
        (4100, "DEVICE_RISK"): gettext_noop("device attack detected"),
        (4200, "BIZ_TOKEN_DENIED"): gettext_noop("token invalid: wrong, used or expired"),
        (4200, "AUTHENTICATION_FAIL"): gettext_noop("authentication failed"),
        (4200, "MOBILE_PHONE_NOT_SUPPORT"): gettext_noop("phone not supported"),
        (4200, "SDK_TOO_OLD"): gettext_noop("SDK too old"),
        (4200, "MOBILE_PHONE_NO_AUTHORITY"): gettext_noop("a permission was missing on the phone"),
        (4200, "USER_CANCELLATION"): gettext_noop("the person gave up"),
        (4200, "USER_TIMEOUT"): gettext_noop("the person took too long"),
        (4200, "VERIFICATION_FAILURE"): gettext_noop("the person did not complete it"),
        (4200, "UNDETECTED_FACE"): gettext_noop("no face was seen"),
        (4200, "ACTION_ERROR"): gettext_noop("a wrong action was made"),
        (3000, "NO_ID_CARD_NUMBER"): gettext_noop("data source: number not found"),
        (3000, "ID_NUMBER_NAME_NOT_MATCH"): gettext_noop("data source: name does not match"),
        (3000, "NO_FACE_FOUND"): gettext_noop("data source: photo without a face"),
        (3000, "NO_ID_PHOTO"): gettext_noop("data source: no photo"),
        (3000, "PHOTO_FORMAT_ERROR"): gettext_noop("data source: photo not readable"),
        (3000, "DATA_SOURCE_ERROR"): gettext_noop("data source failed"),
        (9000, ""): gettext_noop("has priority over other codes; no message is listed"),
    }
)
"""The meanings of the contract, word by word."""

ATTACK_BESIDE_COMPARISON = gettext_noop(
    "The comparison gave a result although a presentation attack was suspected in the same answer. "
    "The comparison alone is not proof of a live person."
)
UNLISTED_PAIR = gettext_noop("The contract does not list this pair of code and message.")
UNLISTED_ERROR = gettext_noop("The contract does not explain this code.")

BILLING: Mapping[bool | None, str] = MappingProxyType(
    {
        True: gettext_noop("Billed, by the contract"),
        False: gettext_noop("Not billed, by the contract"),
        None: gettext_noop("Not known"),
    }
)
