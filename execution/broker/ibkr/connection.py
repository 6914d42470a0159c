"""The socket: one IB object at a time, on an event loop in a thread of its own.

Every connection gets a fresh IB object: the library empties the old one and orphans whatever it
handed out. What comes in is posted as messages; nothing here touches the database.
"""

import asyncio
import random
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import structlog

from deepstack.config_ibkr import Ibkr
from execution.broker.ibkr import client_library, contracts, requests
from execution.broker.ibkr.callbacks import Callbacks
from execution.broker.ibkr.client_library import RequestError
from execution.broker.ibkr.error_codes import CLIENT_ID_IN_USE, NO_SUCH_CONTRACT
from execution.broker.ibkr.halted_ticks import HaltedSeen, HaltedTicks
from execution.broker.ibkr.messages import (
    Answered,
    Beat,
    CancelNotSent,
    Connected,
    Disconnected,
    Left,
    Message,
    NotSent,
    Outgoing,
    RefreshBegan,
    RefreshEnded,
)
from execution.broker.ibkr.rate_limit import Lane, Pacer

log = structlog.get_logger(__name__)

LONGEST_BACKOFF = 15.0  # seconds; TWS is away for minutes when it restarts each day
STEADY = 1.0  # a connection that lasted this long was one
# A request's ids start here, so that an error's id says whether it is about an order.
FIRST_REQUEST_ID = 1_000_000_000
HANDSHAKE_MESSAGES = 3
LONGEST_ANSWER = 60.0  # seconds, of which parts keep arriving


class Gone(ConnectionError):
    """The connection is over; the text says why."""


class Connection:
    """Connects, keeps connecting, and speaks. Methods may be called from any thread; `post` and
    `hear` are called from the socket's thread and must not block."""

    def __init__(
        self,
        address: tuple[str, int, int],  # host, port, client id
        settings: Ibkr,
        pacer: Pacer,
        post: Callable[[Message], None],
        hear: Callable[[HaltedSeen], None],
    ) -> None:
        self._host, self._port, self._client_id = address
        self._settings = settings
        self._pacer = pacer
        self._post = post
        self._halted = HaltedTicks(pacer, hear)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="ibkr-socket", daemon=True)
        self._ib: Any = None  # while connected
        self._gone = asyncio.Event()
        self._why = ""
        self._stopped = asyncio.Event()
        self._asking = {requests.CLOCK: asyncio.Lock(), requests.REST: asyncio.Lock()}
        self._refresh_wanted = asyncio.Event()
        self._contracts: dict[str, contracts.Known] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        def end() -> None:
            # In one step: the loop may be closed before it could take a second one.
            self._stopped.set()
            self._drop("stopped")

        self._loop.call_soon_threadsafe(end)
        self._thread.join(timeout=5)

    def reconnect(self, why: str) -> None:
        self._loop.call_soon_threadsafe(self._drop, why)

    def refresh(self) -> None:
        """Ask for all orders as soon as may be; several requests at once are one."""
        self._loop.call_soon_threadsafe(self._refresh_wanted.set)

    def place(self, outgoing: Outgoing) -> None:
        """Answered by Left or NotSent."""
        self._spawn(self._place(outgoing))

    def cancel(self, pk: int, order_id: int) -> None:
        """Answered, if it cannot be sent, by CancelNotSent."""
        self._loop.call_soon_threadsafe(self._cancel, pk, order_id)

    def inquire(self, pk: int, kind: str, account: str) -> None:
        """Answered by Answered."""
        self._spawn(self._inquire(pk, kind, account))

    def watch(self, symbols: Sequence[str]) -> None:
        """Hear of the halts of these symbols and no others."""
        self._loop.call_soon_threadsafe(self._halted.want, symbols)

    # The socket's thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._keep_connected())
        finally:
            self._loop.close()

    def _spawn(self, work: Any) -> None:
        def begin() -> None:
            task = self._loop.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._loop.call_soon_threadsafe(begin)

    async def _keep_connected(self) -> None:
        failures = 0
        while not self._stopped.is_set():
            started = time.monotonic()
            why = await self._one_connection()
            self._post(Disconnected(why))
            if self._stopped.is_set():
                return
            failures = 1 if time.monotonic() - started > STEADY else failures + 1
            pause = min(0.1 * 2.0**failures, LONGEST_BACKOFF)
            log.warning("no connection to TWS", why=why, again_in=round(pause, 1))
            await self._pause(pause * random.uniform(0.75, 1.25))  # noqa: S311

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    async def _one_connection(self) -> str:
        """Until it is over; returns why."""
        callbacks = Callbacks(self._post, self._halted)
        ib = client_library.client(callbacks)
        self._gone.clear()
        self._why = ""
        try:
            await self._connect(ib, callbacks)
            self._ib = ib
            self._post(Connected(tuple(ib.client.getAccounts()), callbacks.next_valid_id))
            self._refresh_wanted.set()
            await self._live(ib, callbacks)
        except (OSError, TimeoutError, RequestError) as error:
            return self._why or callbacks.refused or f"{type(error).__name__}: {error}".strip(": ")
        finally:
            self._ib = None
            _hang_up(ib)
        return self._why

    async def _connect(self, ib: Any, callbacks: Callbacks) -> None:
        """The handshake alone: the library's own start-up requests must all be answered, and
        completed orders may never be."""
        ib.wrapper.clientId = self._client_id
        ib.client.conn.disconnected += self._lost
        callbacks.on_refused = lambda: self._drop(f"{CLIENT_ID_IN_USE}: client id is in use")
        while wait := self._pacer.take(Lane.REQUEST, HANDSHAKE_MESSAGES):
            await asyncio.sleep(wait)
        seconds = self._settings.request_seconds
        connecting = self._loop.create_task(
            ib.client.connectAsync(self._host, self._port, self._client_id, seconds)
        )
        gone = self._loop.create_task(self._gone.wait())
        try:
            await asyncio.wait({connecting, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not connecting.done():
                raise Gone(self._why)
            connecting.result()
        finally:
            gone.cancel()
            connecting.cancel()
            with suppress(OSError, TimeoutError, asyncio.CancelledError):
                await connecting
        ib.client.updateReqId(FIRST_REQUEST_ID)

    def _lost(self, why: str) -> None:
        self._drop(why or "TWS closed the connection")

    def _drop(self, why: str) -> None:
        self._why = self._why or why
        self._gone.set()

    async def _live(self, ib: Any, callbacks: Callbacks) -> None:
        """Heartbeats, look-ups and halts, side by side, until the connection is gone."""
        works = [
            self._loop.create_task(work)
            for work in (
                self._beat(ib, callbacks),
                self._refresh_when_wanted(ib, callbacks),
                self._halted.keep(ib),
                self._gone.wait(),
            )
        ]
        try:
            done, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
            for work in done:
                work.result()
        finally:
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)

    async def _beat(self, ib: Any, callbacks: Callbacks) -> None:
        while True:
            self._post(Beat(await self._skew(ib, callbacks)))
            await asyncio.sleep(self._settings.heartbeat_seconds)

    async def _skew(self, ib: Any, callbacks: Callbacks) -> float:
        # The clock's answer may stand behind a long one.
        answer = partial(self._answer, callbacks=callbacks)
        try:
            return await requests.clock_skew(ib, answer)
        except TimeoutError:
            raise Gone("TWS fell silent") from None

    async def _refresh_when_wanted(self, ib: Any, callbacks: Callbacks) -> None:
        while True:
            await self._refresh_wanted.wait()
            self._refresh_wanted.clear()
            await self._refresh(ib, callbacks)

    async def _answer(
        self,
        request: Callable[[], Awaitable[Any]],
        messages: int = 1,
        kind: str = requests.REST,
        callbacks: Callbacks | None = None,
    ) -> Any:
        """The answer to one request, in its turn and its time; more time while `callbacks` receive
        parts of it. Raises TimeoutError."""
        async with self._asking[kind]:
            while wait := self._pacer.take(Lane.REQUEST, messages):
                await asyncio.sleep(wait)
            answer = asyncio.ensure_future(request())
            latest = time.monotonic() + LONGEST_ANSWER
            try:
                while True:
                    before = callbacks.parts if callbacks else 0
                    await asyncio.wait({answer}, timeout=self._settings.request_seconds)
                    if answer.done():
                        return answer.result()
                    if callbacks is None or callbacks.parts == before or time.monotonic() > latest:
                        raise TimeoutError
            finally:
                answer.cancel()

    async def _refresh(self, ib: Any, callbacks: Callbacks) -> None:
        """Ask for everything that reports orders; what TWS says arrives as messages of its own."""
        began = time.monotonic()
        self._post(RefreshBegan(began))
        unanswered = []
        for name, request in requests.about_orders(ib, self._client_id).items():
            try:
                await self._answer(request, callbacks=callbacks)
            except TimeoutError:
                unanswered.append(name)
            except RequestError as error:
                unanswered.append(f"{name}: {error}")
        self._post(RefreshEnded(began, tuple(unanswered)))

    async def _place(self, outgoing: Outgoing) -> None:
        ib = self._ib
        try:
            known = await self._contract(ib, outgoing.symbol)
            # The look-up may have outlived its connection; the next one has not been compared.
            if ib is not self._ib:
                raise Gone("the connection changed before it left")
            order = contracts.order_of(outgoing, known.tick)
            ib.client.placeOrder(outgoing.order_id, known.contract, order)
        except contracts.NotQualified as error:
            self._post(NotSent(outgoing.pk, NO_SUCH_CONTRACT, str(error), final=True))
        except RequestError as error:
            code, text = _error_of(error)
            self._post(NotSent(outgoing.pk, code, text, final=code == NO_SUCH_CONTRACT))
        except (OSError, TimeoutError) as error:
            text = f"{type(error).__name__}: {error}".strip(": ")
            self._post(NotSent(outgoing.pk, "", text, final=False))
        else:
            self._post(Left(outgoing.pk, time.monotonic()))

    async def _contract(self, ib: Any, symbol: str) -> contracts.Known:
        if ib is None:
            raise Gone("not connected")
        if symbol not in self._contracts:
            found = await self._answer(lambda: ib.reqContractDetailsAsync(contracts.stock(symbol)))
            self._contracts[symbol] = contracts.the_one(symbol, found)
        return self._contracts[symbol]

    def _cancel(self, pk: int, order_id: int) -> None:
        try:
            if self._ib is None:
                raise Gone("not connected")
            self._ib.client.cancelOrder(order_id, "")
        except OSError:
            self._post(CancelNotSent(pk))

    async def _inquire(self, pk: int, kind: str, account: str) -> None:
        answer: Mapping[str, object] | Sequence[object] | None = None
        problem = ""
        try:
            if self._ib is None:
                raise Gone("not connected")
            answer = await requests.ask(self._ib, self._answer, kind, account)
        except (OSError, TimeoutError, RequestError, LookupError) as error:
            problem = f"{type(error).__name__}: {error}".strip(": ")
        self._post(Answered(pk, answer, problem))


def _error_of(error: Any) -> tuple[str, str]:
    """(code, text) of a RequestError."""
    return str(error.code), error.message


def _hang_up(ib: Any) -> None:
    """At once: a polite close waits for a peer that may be frozen."""
    transport = ib.client.conn.transport
    ib.client.reset()
    if transport is not None:
        transport.abort()
