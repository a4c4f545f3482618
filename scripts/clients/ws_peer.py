"""A WebSocket peer for weir's tests, of PyPI's websockets or of autobahn.

    ws_peer.py websockets|autobahn client    a case a line on standard input
    ws_peer.py websockets|autobahn server CERT KEY
                                             prints its ports, in the clear and over TLS; until
                                             standard input ends

A case has a plan, which is a list of steps; a server's is in the query of each
request, with a name. What became of it is printed as a line of JSON: how the
WebSocket was opened, with which subprotocol and extension, and what each step
that waits for something got.

    ["text", S] ["binary", HEX] ["big", N] ["fragments", [S, ...]]   send
    ["ping", S]                    sends a ping and waits for its pong
    ["receive"]                    waits for a message
    ["echo"]                       sends back what comes, until the close
    ["close", CODE, REASON]        closes, and waits for that
    ["await"]                      waits for the peer's close
    ["abort"]                      drops the connection
    ["signal", S]                  prints S at once
"""

import asyncio
import hashlib
import json
import ssl
import sys
import urllib.parse

LIMIT = 60  # seconds, for what must come


def say(**what):
    print(json.dumps(what), flush=True)


def describe(data, binary):
    if len(data) > 200:
        return f"{'binary' if binary else 'text'} {len(data)} {hashlib.sha256(data).hexdigest()[:16]}"
    return f"binary {data.hex()}" if binary else f"text {data.decode()}"


def big(n):
    return bytes((i * i >> 3) & 0xFF for i in range(n))


class Closed(Exception):
    pass


async def run(peer, plan, report):
    report.append(f"open {peer.protocol or '-'} {'deflate' if peer.deflate else '-'}")
    for op, *args in plan:
        match op:
            case "text":
                await peer.send(args[0].encode(), False)
            case "binary":
                await peer.send(bytes.fromhex(args[0]), True)
            case "big":
                await peer.send(big(args[0]), True)
            case "fragments":
                await peer.fragments([part.encode() for part in args[0]])
            case "ping":
                report.append(f"pong {(await peer.ping(args[0].encode())).decode()}")
            case "receive":
                report.append(describe(*await peer.receive()))
            case "echo":
                try:
                    while True:
                        await peer.send(*await peer.receive())
                except Closed:
                    report.append(await peer.closed())
            case "close":
                await peer.close(*args)
                report.append(await peer.closed())
            case "await":
                report.append(await peer.closed())
            case "abort":
                peer.abort()
            case "signal":
                say(signal=args[0])
            case _:
                raise ValueError(f"no step {op}")


async def finish(peer, name, plan):
    report = []
    try:
        async with asyncio.timeout(LIMIT):
            await run(peer, plan, report)
    except Exception as err:
        report.append(f"failed: {type(err).__name__} {err}")
    say(name=name, report=report)


def trusting():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def query(path):
    return {key: values[0] for key, values in urllib.parse.parse_qs(urllib.parse.urlsplit(path).query).items()}


# PyPI's websockets.


class WebsocketsPeer:
    def __init__(self, ws):
        self.ws = ws
        self.protocol = ws.subprotocol
        self.deflate = bool(ws.protocol.extensions)

    async def send(self, data, binary):
        await self.ws.send(data, text=not binary)

    async def fragments(self, parts):
        await self.ws.send([part.decode() for part in parts])

    async def ping(self, data):
        await (await self.ws.ping(data))
        return data

    async def receive(self):
        import websockets

        try:
            data = await self.ws.recv()
        except websockets.ConnectionClosed as err:
            raise Closed from err
        return (data.encode(), False) if isinstance(data, str) else (data, True)

    async def close(self, code, reason):
        await self.ws.close(code, reason)

    async def closed(self):
        await self.ws.wait_closed()
        return f"closed {self.ws.close_code} {self.ws.close_reason or ''}".strip()

    def abort(self):
        self.ws.transport.abort()


async def websockets_client(url, protocols, deflate, name, plan):
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus

    try:
        async with asyncio.timeout(LIMIT):
            ws = await connect(
                url,
                subprotocols=protocols or None,
                compression="deflate" if deflate else None,
                max_size=None,
                ping_interval=None,
                proxy=None,
                ssl=trusting() if url.startswith("wss:") else None,
            )
    except InvalidStatus as err:
        say(name=name, report=[f"refused {err.response.status_code}"])
        return
    await finish(WebsocketsPeer(ws), name, plan)
    ws.transport.abort()


async def websockets_server(tls):
    from websockets.asyncio.server import serve

    async def handle(ws):
        asked = query(ws.request.path)
        await finish(WebsocketsPeer(ws), asked["name"], json.loads(asked["plan"]))

    return await serve(handle, "127.0.0.1", 0, subprotocols=["v2.chat"], select_subprotocol=choose, max_size=None, ping_interval=None, ssl=tls)


def choose(_, offered):
    return "v2.chat" if "v2.chat" in offered else None


# autobahn, Debian's.


def autobahn_peer(base):
    """Returns a protocol class that is a peer, on autobahn's for a client or a server."""

    class AutobahnPeer(base):
        protocol = None

        def __init__(self):
            super().__init__()
            self.messages = asyncio.Queue()
            self.pongs = asyncio.Queue()
            self.end = asyncio.get_running_loop().create_future()
            self.opened = asyncio.get_running_loop().create_future()

        def onOpen(self):
            self.protocol = self.websocket_protocol_in_use
            self.deflate = bool(self.websocket_extensions_in_use)
            self.opened.set_result(None)

        def onMessage(self, payload, isBinary):
            self.messages.put_nowait((payload, isBinary))

        def onPong(self, payload):
            self.pongs.put_nowait(payload)

        def onClose(self, wasClean, code, reason):
            if not self.end.done():
                self.end.set_result((wasClean, code, reason))
            if not self.opened.done():
                self.opened.set_exception(ConnectionError(reason))
            self.messages.put_nowait(None)

        async def send(self, data, binary):
            self.sendMessage(data, binary)

        async def fragments(self, parts):
            self.beginMessage(False)
            for part in parts:
                self.sendMessageFrame(part)
            self.endMessage()

        async def ping(self, data):
            self.sendPing(data)
            return await self.pongs.get()

        async def receive(self):
            got = await self.messages.get()
            if got is None:
                raise Closed
            return got

        async def close(self, code, reason):
            self.sendClose(code, reason)

        async def closed(self):
            await self.end
            code, reason = self.remoteCloseCode, self.remoteCloseReason
            return f"closed {code or 1006} {reason or ''}".strip()

        def abort(self):
            if self.transport:  # else it has ended
                self.transport.abort()

    return AutobahnPeer


async def autobahn_client(url, protocols, deflate, name, plan):
    from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol
    from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateResponse, PerMessageDeflateResponseAccept

    made = autobahn_peer(WebSocketClientProtocol)
    factory = WebSocketClientFactory(url, protocols=protocols or None)
    factory.protocol = made
    factory.setProtocolOptions(failByDrop=False, openHandshakeTimeout=LIMIT, closeHandshakeTimeout=LIMIT, serverConnectionDropTimeout=LIMIT)
    if deflate:

        def accept(response):
            return PerMessageDeflateResponseAccept(response) if isinstance(response, PerMessageDeflateResponse) else None

        factory.setProtocolOptions(perMessageCompressionOffers=[PerMessageDeflateOffer()], perMessageCompressionAccept=accept)
    at = urllib.parse.urlsplit(url)
    loop = asyncio.get_running_loop()
    _, peer = await loop.create_connection(factory, at.hostname, at.port, ssl=trusting() if at.scheme == "wss" else None)
    try:
        async with asyncio.timeout(LIMIT):
            await peer.opened
    except Exception as err:
        # "connection was closed uncleanly (WebSocket connection upgrade failed [403]: Forbidden)"
        status = str(err).partition("[")[2].partition("]")[0]
        say(name=name, report=[f"refused {status}" if status else f"failed: {err}"])
        return
    await finish(peer, name, plan)
    peer.abort()


async def autobahn_server(tls):
    from autobahn.asyncio.websocket import WebSocketServerFactory, WebSocketServerProtocol
    from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept

    class Server(autobahn_peer(WebSocketServerProtocol)):
        def onConnect(self, request):
            self.asked = {key: values[0] for key, values in request.params.items()}
            return "v2.chat" if "v2.chat" in request.protocols else None

        def onOpen(self):
            super().onOpen()
            self.task = asyncio.ensure_future(finish(self, self.asked["name"], json.loads(self.asked["plan"])))

    def accept(offers):
        for offer in offers:
            if isinstance(offer, PerMessageDeflateOffer):
                return PerMessageDeflateOfferAccept(offer)

    factory = WebSocketServerFactory(None)
    factory.protocol = Server
    factory.setProtocolOptions(perMessageCompressionAccept=accept, failByDrop=False, closeHandshakeTimeout=LIMIT)
    return await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0, ssl=tls)


async def main(package, mode, *files):
    loop = asyncio.get_running_loop()
    if mode == "server":
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*files)
        servers = [await globals()[package + "_server"](context) for context in (None, tls)]
        clear, secure = (server.sockets[0].getsockname()[1] for server in servers)
        say(port=clear, secure=secure)
        await loop.run_in_executor(None, sys.stdin.read)
        for server in servers:
            server.close()
        return
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        case = json.loads(line)
        await globals()[package + "_client"](case["url"], case.get("protocols"), case.get("deflate"), case["name"], case["plan"])


asyncio.run(main(*sys.argv[1:]))
