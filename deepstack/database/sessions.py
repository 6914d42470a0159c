"""What the errors of PostgreSQL say of the session that met them, and how to tell a person."""

import re

from django.db import InterfaceError, OperationalError

# Codes (SQLSTATE) and their classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
# After these a session answers every later statement in the same way, or none.
_SPENT = {
    "25006": "it is read-only",  # also: a standby, or a leader that has become one
    "25P03": "it ended the session, which rested within a transaction",
    "25P04": "it ended the session, whose transaction took too long",
    "53200": "it is out of memory",  # what the session holds is given back with it
    "57P01": "it ended the session, or is being shut down",
    "57P02": "it has crashed",
    "57P03": "it is starting or shutting down",
    "57P04": "the database was dropped",
    "57P05": "it ended the idle session",
    # A prepared statement whose result has other columns since a migration, or that is not known
    # any more (DISCARD ALL, a pooler), or whose name is taken: a new session prepares its own.
    "0A000": "a statement that it has prepared is out of date",
    "26000": "it does not know a prepared statement any more",
    "42P05": "it has prepared a statement of that name before",
}
_SPENT_CLASSES = {
    "08": "the connection broke",
    "58": "it met an error of its system",
    "XX": "it met an error of its own",
}
# The session is as good as before; what it was asked for cannot be done now.
_FOR_NOW = {
    "40001": "another transaction came in between",
    "40P01": "it ended a deadlock",
    "42501": "its role may not do that",
    "28P01": "it refuses the password",
    "3D000": "the database does not exist",
    # A process of a new release whose migrations have not run yet.
    "42P01": "a table of this release is missing, run `manage.py migrate`",
    "42703": "a column of this release is missing, run `manage.py migrate`",
    "53100": "its disk is full",
    "53300": "it has no connection left",
    "53400": "a limit of its configuration is reached",
    "55P03": "a lock was not free in time",
    "57014": "a statement took too long",
}
# What refuses a connection has no code here, only words: the server's own, if it speaks English, or
# libpq's. The first that is found counts.
_REFUSALS = {
    "too many clients": _FOR_NOW["53300"],
    "remaining connection slots": _FOR_NOW["53300"],
    "too many connections": _FOR_NOW["53300"],
    "No space left": _FOR_NOW["53100"],
    "password authentication failed": _FOR_NOW["28P01"],
    "no password supplied": "it asks for a password, and none is set",
    "pg_hba.conf": "it takes no connection from here (pg_hba.conf)",
    "starting up": _SPENT["57P03"],
    "shutting down": _SPENT["57P03"],
    "not accepting connections": _SPENT["57P03"],
    "not yet accepting connections": _SPENT["57P03"],
    "in recovery mode": _SPENT["57P03"],
    "session is read-only": _SPENT["25006"],
    "root certificate file": "the file to check its certificate by is missing",
    "certificate verify failed": "its certificate is not trusted, or has expired",
    "does not match host name": "its certificate is of another host",
    "does not support SSL": "it speaks no TLS, which sslmode asks for",
}
_NAME = re.compile('"[^"]*"')
_UNKNOWN = re.compile('FATAL: +(database|role) "" does not exist')


def is_spent(code: str | None) -> bool:
    """Whether a session that met an error of this code (SQLSTATE) must not be used again."""
    return code is not None and (code in _SPENT or code[:2] in _SPENT_CLASSES)


def code_of(error: BaseException) -> str | None:
    """The SQLSTATE of an error of the driver, or of one of Django's that stands before it."""
    found: BaseException | None = error
    while found is not None:
        code: str | None = getattr(found, "sqlstate", None)
        if code:
            return code
        found = found.__cause__
    return None


def is_away(error: BaseException) -> bool:
    """Whether one of Django's errors is about PostgreSQL, not about what it was asked for."""
    code = code_of(error)
    if is_spent(code) or code in _FOR_NOW:
        return True
    return isinstance(error, OperationalError | InterfaceError)


def in_words(error: BaseException) -> str:
    """Why PostgreSQL did not do what it was asked for, without any address, name or value."""
    code = code_of(error)
    if code is None:
        return _of_refusal(str(error))
    known = _SPENT.get(code) or _FOR_NOW.get(code) or _SPENT_CLASSES.get(code[:2])
    return known or f"it answers with error {code}"


def _of_refusal(text: str) -> str:
    bare = _NAME.sub('""', text)  # a name may be whatever words
    for said, words in _REFUSALS.items():
        if said in bare:
            return words
    if unknown := _UNKNOWN.search(bare):
        return f"the {unknown[1]} does not exist"
    return "it takes no connection" if "FATAL:" in bare else "does not answer"
