"""What a handshake that failed means, in words."""

import ssl

import pytest

from headrace.runtime.tls_words import explain, tls_error_in


def refused(code: int, message: str = "what OpenSSL says") -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, message
    return error


def failed(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (refused(10), "its certificate has expired"),
        (refused(9), "its certificate is not valid yet: is a clock wrong?"),
        (refused(62), "its certificate is for another name than log.example"),
        (refused(64), "its certificate is for another name than log.example"),
        (refused(18), "its certificate is signed by nobody whom we trust: is this its authority?"),
        (refused(19), "its certificate is signed by nobody whom we trust: is this its authority?"),
        (refused(20), "its certificate is signed by nobody whom we trust: is this its authority?"),
        (refused(26), "its certificate is not one for servers"),
        (refused(99), "its certificate is not valid: what OpenSSL says"),
        (failed("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "it wants a certificate of ours, and none is set"),
        (failed("TLSV1_ALERT_UNKNOWN_CA"), "it does not trust who signed our certificate"),
        (failed("SSLV3_ALERT_CERTIFICATE_EXPIRED"), "our certificate has expired"),
        (failed("SSLV3_ALERT_BAD_CERTIFICATE"), "it refuses our certificate"),
        (failed("SSLV3_ALERT_CERTIFICATE_UNKNOWN"), "it refuses our certificate"),
        (failed("SSLV3_ALERT_HANDSHAKE_FAILURE"), "it refuses the handshake: it may want a certificate of ours"),
        (failed("WRONG_VERSION_NUMBER"), "it does not speak TLS on this port"),
        (failed("TLSV1_ALERT_PROTOCOL_VERSION"), "it speaks no version of TLS that we do (1.2 or later)"),
        (failed("SOMETHING_NEW"), "the TLS handshake failed: something new"),
    ],
)
def test_each_failure_has_a_sentence(error: ssl.SSLError, said: str) -> None:
    assert explain(error, "log.example") == said


def test_an_error_is_found_behind_those_that_were_made_of_it() -> None:
    inner = failed("WRONG_VERSION_NUMBER")
    try:
        try:
            raise inner
        except ssl.SSLError as error:
            raise ConnectionError("a library's words") from error
    except ConnectionError as error:
        outer = ValueError("another's")
        outer.__context__ = error
    assert tls_error_in(outer) is inner
    assert tls_error_in(inner) is inner
    assert tls_error_in(ConnectionError("none")) is None
