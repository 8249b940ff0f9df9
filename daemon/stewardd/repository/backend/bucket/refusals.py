"""Why a bucket fails: the storage's own word for it, a message that keeps it, and what to do about it.

obstore's errors are text: a first sentence, then the answer's body, then a dump for programmers. Out of these are taken
the status, the code (`<Code>` of S3, Azure and Google's XML, `reason` or `error` of JSON), the storage's sentence, and
where there was no answer the reason of the connection. Nothing else of a body is repeated, since S3 puts the signed
text into one, and no query of a URL, since a signature may stand there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stewardd.errors import RepositoryDown, RepositoryRefused, StewardError, StorageFull

_DUMP = "Debug source:"
_STATUS = re.compile(r"status code: (\d{3})(?: ([A-Za-z ]+))?")
# A bulk delete is answered by 200, with an error for each key.
_OF_ONE_KEY = re.compile(r"request failed for key .*: ([^:]*) \(code: ([A-Za-z0-9_.-]+)\)")
_CODES = (
    re.compile(r"<Code>\s*([A-Za-z0-9_.-]{1,80})\s*</Code>"),
    re.compile(r'"(?:reason|error|code)"\s*:\s*"([A-Za-z0-9_.-]{1,80})"'),
)
_SENTENCES = (
    re.compile(r"<Message>\s*([^<]{1,300})"),
    re.compile(r'"(?:message|error_description)"\s*:\s*"([^"]{1,300})"'),
)
# What the dump says of a connection that did not come about, the innermost reason last.
_CONNECTION = re.compile(
    r'(?:message|error): "([^"\\]{1,200})"|(InvalidCertificate|InvalidMessage|TimedOut|BadScheme)'
)
_QUERY = re.compile(r"\?\S*")
_SECRET = re.compile(r"(?i)\b([a-z-]*(?:signature|token|credential|secret|password|sig))=\S+")
_METADATA_SERVICES = ("169.254.169.254", "169.254.170.2", "metadata.google.internal")
_FIRST_LINE_CHARACTERS = 300
_FULL = frozenset({"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "StorageFull"})

_CLOCK = "set the clock of this machine (NTP): the storage takes no request whose time differs much from its own"
RIGHTS = (
    "let these credentials list the bucket, and read, write and delete objects in it (S3: s3:ListBucket, "
    "s3:GetObject, s3:PutObject, s3:DeleteObject)"
)
_CREDENTIALS = (
    "check the credentials of the bucket: the key's name, and the secret that belongs to it"
)
_EXPIRED = "renew the credentials of the bucket: they were for a limited time, which is over"
_REGION = "set `region` in the options of the repository to the region in which the bucket lies"
_BUCKET = "make the bucket, or correct its name in the URL"
_HINTS: dict[str, str] = {
    **dict.fromkeys(("RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"), _CLOCK),
    **dict.fromkeys(
        (
            "AccessDenied",
            "AllAccessDisabled",
            "AccountProblem",
            "AuthorizationFailure",
            "AuthorizationPermissionMismatch",
            "AuthorizationProtocolMismatch",
            "AuthorizationResourceTypeMismatch",
            "AuthorizationServiceMismatch",
            "InsufficientAccountPermissions",
            "forbidden",
            "Forbidden",
            "insufficientPermissions",
            "403",
        ),
        RIGHTS,
    ),
    **dict.fromkeys(
        (
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "AuthenticationFailed",
            "InvalidAuthenticationInfo",
            "InvalidSecurity",
            "NoAuthenticationInformation",
            "MissingSecurityHeader",
            "authError",
            "invalid_client",
            "Unauthorized",
            "UnauthorizedAccess",
            "401",
        ),
        _CREDENTIALS,
    ),
    **dict.fromkeys(
        (
            "ExpiredToken",
            "InvalidToken",
            "TokenRefreshRequired",
            "ExpiredAuthenticationToken",
            "invalid_grant",
        ),
        _EXPIRED,
    ),
    **dict.fromkeys(
        (
            "PermanentRedirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
            "IncorrectEndpoint",
            "301",
        ),
        _REGION,
    ),
    **dict.fromkeys(
        (
            "NoSuchBucket",
            "InvalidBucketName",
            "ContainerNotFound",
            "ContainerBeingDeleted",
            "notFound",
            "404",
        ),
        _BUCKET,
    ),
}
_NO_TLS = "look whether the endpoint speaks TLS: the URL of one that does not begins with http://"
_CONNECTION_HINTS = (
    (
        "BadScheme",
        'set `allow_http = "true"` in the options of the bucket, or an endpoint that begins with https://',
    ),
    (
        "certificate",
        "name an endpoint whose certificate this machine trusts, or add its authority to the machine's certificates",
    ),
    ("InvalidMessage", _NO_TLS),
    ("tls handshake", _NO_TLS),
    (
        "lookup",
        "correct the host in `endpoint`, or the region, or see why its name is not found from here",
    ),
    ("refused", "see whether the storage runs at that address, and correct the port in `endpoint`"),
    (
        "TimedOut",
        "see whether the storage's address is reached from here: a firewall or a proxy may lie between",
    ),
    (
        "reset",
        "look whether the endpoint wants https:// and was asked by http://, or try again later",
    ),
)
_PHRASES = {
    "BadScheme": "the endpoint begins with http://, and allow_http is not set",
    "InvalidCertificate": "the certificate of the endpoint is not trusted",
    "InvalidMessage": "the endpoint does not speak TLS",
    "TimedOut": "no answer in time",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a call failed. `lasting` says that waiting does not help: a setting, a right or a clock has to be changed."""

    text: str
    hint: str
    lasting: bool
    code: str = ""


def reason_of(error: Exception) -> Reason:
    """Reads an error of obstore."""
    said, _, dump = str(error).partition(_DUMP)
    lines = said.strip().splitlines() or [type(error).__name__]
    of_one = _OF_ONE_KEY.search(said)
    if of_one is not None:
        return _answered("", of_one[2], of_one[1])
    if any(service in said for service in _METADATA_SERVICES):
        return Reason(
            "no credentials were found, nor does this machine have a role that gives some",
            "name the credentials in `repository.options`, or in the environment as the storage's own tools want them",
            lasting=True,
        )
    status = _STATUS.search(said)
    if status is not None:
        code = _first(_CODES, said)
        sentence = _first(_SENTENCES, said)
        return _answered(status[1], code or (status[2] or "refused").strip(), sentence)
    if "redirect without LOCATION" in said:
        return Reason("PermanentRedirect: the bucket lies in another region", _REGION, lasting=True)
    return _unanswered(lines[0], dump)


def error_of(error: Exception, what: str, url: str) -> StewardError:
    """Returns the repository's error for one of obstore: a RepositoryDown, RepositoryRefused or StorageFull."""
    reason = reason_of(error)
    if reason.code in _FULL:
        return StorageFull(f"{url} has no room for {what}: {reason.text}")
    if reason.lasting:
        return RepositoryRefused(f"{url} refuses {what}: {reason.text}", hint=reason.hint)
    return RepositoryDown(f"{url} fails at {what}: {reason.text}", hint=reason.hint or None)


def first_line(error: Exception) -> str:
    """What an error says first, without what may hide a secret."""
    lines = str(error).partition(_DUMP)[0].strip().splitlines() or [type(error).__name__]
    return _clean(lines[0])[:_FIRST_LINE_CHARACTERS]


def _answered(status: str, code: str, sentence: str) -> Reason:
    sentence = _clean(sentence.strip())
    # Azure has one code for a wrong key and for a clock that is off; its sentence tells them apart.
    old = "date header" in sentence and "too old" in sentence
    # Its emulator names a wrong key by a code that elsewhere means a missing right.
    unknown = "failed to authenticate" in sentence and not old
    hint = _CLOCK if old else _HINTS.get(code) or _HINTS.get(status, "")
    hint = _CREDENTIALS if unknown else hint
    text = code + (f" ({status})" if status else "") + (f": {sentence}" if sentence else "")
    return Reason(text, hint, lasting=bool(hint) and not status.startswith("5"), code=code)


def _unanswered(line: str, dump: str) -> Reason:
    found = [each[0] or each[1] for each in _CONNECTION.findall(dump)]
    why = found[-1] if found else ""
    line = line.rpartition(" - ")[2] if " - " in line else line
    text = _clean(line)[:_FIRST_LINE_CHARACTERS]
    if why and why not in text:
        text = f"{text}: {_clean(_PHRASES.get(why, why))}"
    for sign, hint in _CONNECTION_HINTS:
        if sign.lower() in why.lower():
            return Reason(text, hint, lasting=sign == "BadScheme")
    return Reason(text, "", lasting=False)


def _first(patterns: tuple[re.Pattern[str], ...], text: str) -> str:
    return next((found[1] for each in patterns if (found := each.search(text))), "")


def _clean(text: str) -> str:
    return _SECRET.sub(r"\1=…", _QUERY.sub("?…", text))
