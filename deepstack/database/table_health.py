"""What years do to tables and indexes: rows that nothing sees any more, pages that stay half empty,
an index that was never finished, a transaction counter that nobody moves on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

# Pages that the rows would need. A row is its columns' mean widths (pg_stats), padded to 8 bytes,
# behind a header of 24 and a pointer of 4; 8,168 bytes of a page of 8,192 are for rows (the chapter
# "Database Page Layout" of PostgreSQL's documentation).
_TABLES = """
SELECT c.relname, c.reltuples::bigint AS rows, pg_table_size(c.oid) AS bytes,
       coalesce(s.n_dead_tup, 0) AS dead, coalesce(s.n_live_tup, 0) AS live,
       coalesce(s.n_mod_since_analyze, 0) AS changed, age(c.relfrozenxid) AS age,
       (greatest(c.relpages - ceil(c.reltuples * (28 + 8 * ceil(w.width / 8.0)) / 8168), 0)
         * current_setting('block_size')::bigint)::bigint AS wasted
  FROM pg_class c
  JOIN pg_stat_user_tables s ON s.relid = c.oid
  LEFT JOIN LATERAL (
       SELECT sum(p.avg_width * (1 - p.null_frac)) AS width FROM pg_stats p
        WHERE p.schemaname = s.schemaname AND p.tablename = c.relname) w ON true
 WHERE s.schemaname = current_schema() AND c.relkind IN ('r', 'm')
 ORDER BY pg_total_relation_size(c.oid) DESC, c.relname
"""
# An entry of a B-tree is its columns behind a header of 8 and a pointer of 4; a fresh page is 90 %
# full. Equal keys share one entry, so that the estimate is rather too large than too small.
_INDEXES = """
SELECT c.relname, t.relname AS of_table, pg_relation_size(c.oid) AS bytes,
       i.indisvalid OR EXISTS (
         SELECT FROM pg_stat_progress_create_index b WHERE b.index_relid = c.oid) AS valid,
       (greatest(c.relpages - 1 - ceil(
         c.reltuples * (12 + 8 * ceil(k.width / 8.0)) / (8152 * 0.9)), 0)
         * current_setting('block_size')::bigint)::bigint AS wasted
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid
  JOIN pg_class t ON t.oid = i.indrelid
  JOIN pg_am m ON m.oid = c.relam AND m.amname = 'btree'
  LEFT JOIN LATERAL (
       SELECT CASE WHEN count(p.avg_width) = count(*)
                   THEN sum(p.avg_width * (1 - p.null_frac)) END AS width
         FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS key (column_number, place)
         LEFT JOIN pg_attribute a
           ON a.attrelid = CASE WHEN column_number = 0 THEN c.oid ELSE t.oid END
          AND a.attnum = CASE WHEN column_number = 0 THEN place ELSE column_number END
         LEFT JOIN pg_stats p
           ON p.schemaname = current_schema() AND p.attname = a.attname
          AND p.tablename = CASE WHEN column_number = 0 THEN c.relname ELSE t.relname END) k ON true
 WHERE t.relnamespace = current_schema()::regnamespace
 ORDER BY bytes DESC, c.relname
"""
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What is still in order. The shares are of the table or index."""

    dead_share: float = 0.2  # the autovacuum of PostgreSQL begins there
    dead_rows: int = 100_000
    changed_share: float = 0.3
    changed_rows: int = 100_000
    wasted_share: float = 0.5
    wasted_bytes: int = 200 * MB
    age: int = 1_000_000_000  # transactions; PostgreSQL takes no more writes at 2^31


DEFAULT = Limits()


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` as last counted by ANALYZE, -1: never. `wasted`: bytes of the table itself that are
    not of its rows, None: not known before ANALYZE."""

    name: str
    rows: int
    bytes: int
    dead: int
    live: int
    changed: int
    age: int
    wasted: int | None


@dataclass(frozen=True, slots=True)
class Index:
    """`valid`: also while it is being built."""

    name: str
    table: str
    bytes: int
    valid: bool
    wasted: int | None


@dataclass(frozen=True, slots=True)
class Finding:
    """`remedy`: what to run."""

    words: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.words}: {self.remedy}"


def tables() -> list[Table]:
    """Of this service, the largest with its indexes first."""
    return [Table(*row) for row in _read(_TABLES)]


def indexes() -> list[Index]:
    """B-trees, the largest first."""
    return [Index(*row) for row in _read(_INDEXES)]


def findings(limits: Limits = DEFAULT) -> list[Finding]:
    return [
        *(found for table in tables() for found in _of_table(table, limits)),
        *(found for index in indexes() for found in _of_index(index, limits)),
    ]


def megabytes(count: int | None) -> str:
    return "" if count is None else f"{count / MB:,.0f}"


def _read(query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def _of_table(table: Table, limits: Limits) -> Iterator[Finding]:
    rows = table.live + table.dead
    if table.dead > max(limits.dead_rows, limits.dead_share * rows):
        words = f"{table.name}: {table.dead:,} of {rows:,} rows are dead"
        yield Finding(words, f"VACUUM (ANALYZE) {table.name}")
    elif table.changed > max(limits.changed_rows, limits.changed_share * rows):
        words = f"{table.name}: {table.changed:,} changes since the planner last looked"
        yield Finding(words, f"ANALYZE {table.name}")
    if _is_bloated(table, limits):
        words = f"{table.name}: about {megabytes(table.wasted)} MB of its pages are empty"
        yield Finding(
            words,
            f"pg_repack --table {table.name}, or VACUUM FULL {table.name} while all is stopped",
        )
    if table.age > limits.age:
        words = f"{table.name}: {table.age:,} transactions since it was frozen"
        yield Finding(words, f"VACUUM (FREEZE) {table.name}")


def _of_index(index: Index, limits: Limits) -> Iterator[Finding]:
    remedy = f"REINDEX INDEX CONCURRENTLY {index.name}"
    if not index.valid:
        yield Finding(f"{index.name} of {index.table} was never finished and serves nobody", remedy)
    elif _is_bloated(index, limits):
        yield Finding(f"{index.name}: about {megabytes(index.wasted)} MB are empty", remedy)


def _is_bloated(store: Table | Index, limits: Limits) -> bool:
    wasted = store.wasted or 0
    return wasted > max(limits.wasted_bytes, limits.wasted_share * store.bytes)
