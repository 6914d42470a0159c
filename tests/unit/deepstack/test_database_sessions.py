"""Which errors of PostgreSQL end the use of a session, and how they are told."""

import psycopg
import pytest
from django.db import DatabaseError, OperationalError, ProgrammingError

from deepstack.database.sessions import in_words, is_away, is_spent


@pytest.mark.parametrize(
    ("code", "spent"),
    [
        pytest.param("25006", True, id="read-only session"),
        pytest.param("25P03", True, id="ended for resting in a transaction"),
        pytest.param("57P01", True, id="administrator's shutdown"),
        pytest.param("57P02", True, id="crash of the server"),
        pytest.param("57P03", True, id="server starts"),
        pytest.param("57P05", True, id="idle session ended"),
        pytest.param("08006", True, id="connection failure"),
        pytest.param("08P01", True, id="protocol violation"),
        pytest.param("53200", True, id="server out of memory"),
        pytest.param("58030", True, id="I/O error"),
        pytest.param("XX000", True, id="internal error"),
        pytest.param("0A000", True, id="cached plan with another result"),
        pytest.param("26000", True, id="prepared statement forgotten"),
        pytest.param("53100", False, id="disk full"),
        pytest.param("53300", False, id="too many connections"),
        pytest.param("55P03", False, id="lock not free"),
        pytest.param("57014", False, id="statement too slow"),
        pytest.param("40001", False, id="serialization"),
        pytest.param("40P01", False, id="deadlock"),
        pytest.param("23505", False, id="unique violation"),
        pytest.param("42P01", False, id="no such table"),
        pytest.param(None, False, id="no code"),
    ],
)
def test_a_session_is_given_up_only_when_it_cannot_go_on(code: str | None, spent: bool) -> None:
    assert is_spent(code) is spent


@pytest.mark.parametrize(
    ("error", "cause", "away"),
    [
        (ProgrammingError, psycopg.errors.InsufficientPrivilege, True),
        (OperationalError, psycopg.errors.DeadlockDetected, True),
        (OperationalError, psycopg.errors.SerializationFailure, True),
        (ProgrammingError, psycopg.errors.UndefinedTable, True),
        (ProgrammingError, psycopg.errors.UndefinedColumn, True),
        (ProgrammingError, psycopg.errors.SyntaxError, False),
        (DatabaseError, psycopg.errors.CheckViolation, False),
    ],
)
def test_what_ails_postgresql_is_not_what_was_asked_for(
    error: type[Exception], cause: type[Exception], away: bool
) -> None:
    raised = error("of a view")
    raised.__cause__ = cause("permission denied for table execution_order")
    assert is_away(raised) is away


def test_words_name_the_cause_and_no_address() -> None:
    outer = RuntimeError("host=10.0.0.1 user=deepstack")
    outer.__cause__ = psycopg.errors.ReadOnlySqlTransaction("cannot execute UPDATE")
    assert in_words(outer) == "it is read-only"
    assert in_words(psycopg.errors.DiskFull("/var/lib")) == "its disk is full"
    assert in_words(psycopg.errors.IoError("/var/lib")) == "it met an error of its system"
    assert in_words(psycopg.errors.InsufficientPrivilege("x")) == "its role may not do that"
    assert "run `manage.py migrate`" in in_words(psycopg.errors.UndefinedTable("t"))
    assert in_words(psycopg.errors.SyntaxError("t")) == "it answers with error 42601"
    assert in_words(psycopg.OperationalError("host=10.0.0.1")) == "does not answer"


FAILED = 'connection failed: connection to server at "10.0.0.1", port 5432 failed: '


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("FATAL:  sorry, too many clients already", "it has no connection left"),
        ('FATAL:  too many connections for role "u"', "it has no connection left"),
        ("FATAL:  could not write init file: No space left on device", "its disk is full"),
        ('FATAL:  password authentication failed for user "u"', "it refuses the password"),
        ("fe_sendauth: no password supplied", "it asks for a password, and none is set"),
        ('FATAL:  database "starting up" does not exist', "the database does not exist"),
        ('FATAL:  role "u" does not exist', "the role does not exist"),
        ("FATAL:  the database system is starting up", "it is starting or shutting down"),
        (
            "FATAL:  the database system is not yet accepting connections",
            "it is starting or shutting down",
        ),
        ("session is read-only", "it is read-only"),
        (
            'FATAL:  pg_hba.conf rejects connection for host "10.0.0.1", user "u"',
            "it takes no connection from here (pg_hba.conf)",
        ),
        (
            'root certificate file "/root/.postgresql/root.crt" does not exist',
            "the file to check its certificate by is missing",
        ),
        (
            "SSL error: certificate verify failed",
            "its certificate is not trusted, or has expired",
        ),
        (
            'server certificate for "other.example" does not match host name "db"',
            "its certificate is of another host",
        ),
        (
            "server does not support SSL, but SSL was required",
            "it speaks no TLS, which sslmode asks for",
        ),
        ("FATAL:  etwas anderes", "it takes no connection"),
        ("Connection refused", "does not answer"),
    ],
)
def test_a_refused_connection_is_told_by_its_cause(said: str, words: str) -> None:
    assert in_words(OperationalError(FAILED + said)) == words
