"""What a TLS handshake that failed means, in words for whoever set it up.

Law: pure; every sentence says whose certificate is wrong, and what to look at. Neighbours: the log's connections, and
`headrace doctor`, say these; a caller adds the names of its settings.
"""

import ssl

# Numbers of OpenSSL's X509_V_ERR_*, which are part of its stable interface.
_NOT_YET, _EXPIRED = 9, 10
_UNTRUSTED = frozenset({2, 18, 19, 20, 21, 24})
_PURPOSE = 26
_NAME = frozenset({62, 64})


def tls_error_in(error: BaseException) -> ssl.SSLError | None:
    """The TLS error that `error` is, or was made of."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def explain(error: ssl.SSLError, host: str) -> str:
    """One sentence without a full stop, about the server at `host`."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error.verify_code, error.verify_message, host)
    reason = (error.reason or str(error)).upper()
    if "ALERT_CERTIFICATE_REQUIRED" in reason or "PEER_DID_NOT_RETURN" in reason:
        return "it wants a certificate of ours, and none is set"
    if "ALERT_UNKNOWN_CA" in reason:
        return "it does not trust who signed our certificate"
    if "ALERT_CERTIFICATE_EXPIRED" in reason:
        return "our certificate has expired"
    if "ALERT_BAD_CERTIFICATE" in reason or "ALERT_CERTIFICATE_UNKNOWN" in reason:
        return "it refuses our certificate"
    if "ALERT_HANDSHAKE_FAILURE" in reason:
        return "it refuses the handshake: it may want a certificate of ours"
    if "WRONG_VERSION_NUMBER" in reason or "RECORD_LAYER_FAILURE" in reason or "PACKET_LENGTH" in reason:
        return "it does not speak TLS on this port"
    if "PROTOCOL_VERSION" in reason or "UNSUPPORTED_PROTOCOL" in reason:
        return "it speaks no version of TLS that we do (1.2 or later)"
    return f"the TLS handshake failed: {reason.lower().replace('_', ' ')}"


def _certificate(code: int, message: str, host: str) -> str:
    if code == _EXPIRED:
        return "its certificate has expired"
    if code == _NOT_YET:
        return "its certificate is not valid yet: is a clock wrong?"
    if code in _NAME:
        return f"its certificate is for another name than {host}"
    if code in _UNTRUSTED:
        return "its certificate is signed by nobody whom we trust: is this its authority?"
    if code == _PURPOSE:
        return "its certificate is not one for servers"
    return f"its certificate is not valid: {message}"
