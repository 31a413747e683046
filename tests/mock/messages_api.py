#!/usr/bin/env python3
"""A stand-in for the Anthropic Messages API, so that the real Claude Code CLI can be tested without a network.

Usage:
    messages_api.py [--host ADDRESS] [--port N] [--record FILE] [--command SHELL] [--text TEXT] [--fail STATUS] [--failures N]

It prints the port it listens on (one line, standard output), then serves until it is ended by a signal. Port 0, the
default, takes a free one. Point the CLI at it with ANTHROPIC_BASE_URL=http://HOST:PORT (no /v1) and any ANTHROPIC_API_KEY.

What it answers to POST /v1/messages, as server-sent events where the request says `stream`, else as one JSON document:
  - a request that offers the tool `Bash` and holds no `tool_result` yet: a `tool_use` of Bash that runs --command;
  - any other request (after the tool has run, or without tools): the text of --text and, after a tool, its result;
  - with --fail 401, 429, 500 or 529: that error, for the first --failures requests (0, the default: for all of them).
POST /v1/messages/count_tokens answers a constant, everything else 404. Each request is appended to --record as one JSON
line {"method", "path", "headers", "body"}; values of credential headers are cut to their first eight characters.
"""

import argparse
import itertools
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ERRORS = {
    401: "authentication_error",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}
SECRET_HEADERS = {"authorization", "x-api-key", "cookie"}


def options():
    parser = argparse.ArgumentParser(description="a stand-in for the Anthropic Messages API")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--record", help="append each request to this file, one JSON line each")
    parser.add_argument("--command", default="echo made-by-the-tool > proof.txt", help="what the Bash tool is asked to run")
    parser.add_argument("--text", default="The mock model is done.", help="the final answer")
    parser.add_argument("--fail", type=int, choices=sorted(ERRORS), help="answer with this HTTP status")
    parser.add_argument("--failures", type=int, default=0, help="how many requests fail; 0: all of them")
    return parser.parse_args()


def blocks(message):
    """The content blocks of a message; a plain string counts as one text block."""
    content = message.get("content", [])
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def tool_results(request):
    """Every tool result in the conversation, as text, oldest first."""
    found = []
    for message in request.get("messages", []):
        for block in blocks(message):
            if block.get("type") == "tool_result":
                inner = block.get("content", "")
                found.append(inner if isinstance(inner, str) else " ".join(part.get("text", "") for part in inner))
    return found


def reply(request, settings, number):
    """The message that answers a request: a call of Bash first, text afterwards."""
    offered = {tool.get("name") for tool in request.get("tools") or []}
    results = tool_results(request)
    if "Bash" in offered and not results:
        call = {"command": settings.command, "description": "Run the test command"}
        content = {"type": "tool_use", "id": f"toolu_mock_{number}", "name": "Bash", "input": call}
        reason = "tool_use"
    else:
        content = {"type": "text", "text": " ".join([settings.text, *results[-1:]]).strip()}
        reason = "end_turn"
    return {
        "id": f"msg_mock_{number}",
        "type": "message",
        "role": "assistant",
        "model": request.get("model", "mock"),
        "content": [content],
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 5},
    }


def events(message):
    """The same message as the events of a stream."""
    block = message["content"][0]
    if block["type"] == "tool_use":
        empty = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    else:
        empty = {"type": "text", "text": ""}
        delta = {"type": "text_delta", "text": block["text"]}
    yield {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}
    yield {"type": "content_block_start", "index": 0, "content_block": empty}
    yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    end = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": end, "usage": {"output_tokens": 5}}
    yield {"type": "message_stop"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    settings = None
    numbers = itertools.count(1)
    lock = threading.Lock()

    def do_HEAD(self):
        self.send(200, "application/json", b"")

    def do_GET(self):
        self.record(None)
        self.error(404, "not_found_error", "the mock has no such page")

    def do_POST(self):
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            request = json.loads(raw)
        except ValueError:
            return self.error(400, "invalid_request_error", "the body is not JSON")
        self.record(request)
        path = self.path.partition("?")[0]
        if path == "/v1/messages/count_tokens":
            return self.document({"input_tokens": 10})
        if path != "/v1/messages":
            return self.error(404, "not_found_error", "the mock has no such page")
        with self.lock:
            number = next(self.numbers)
        fail, failures = self.settings.fail, self.settings.failures
        if fail and (failures == 0 or number <= failures):
            return self.error(fail, ERRORS[fail], f"the mock was told to answer {fail}")
        message = reply(request, self.settings, number)
        return self.stream(message) if request.get("stream") else self.document(message)

    def stream(self, message):
        text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events(message))
        self.send(200, "text/event-stream", text.encode())

    def document(self, value):
        self.send(200, "application/json", json.dumps(value).encode())

    def error(self, status, kind, message):
        body = json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()
        self.send(status, "application/json", body)

    def send(self, status, content_type, body):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Request-Id", "req_mock")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def record(self, body):
        if not self.settings.record:
            return
        headers = {name: value[:8] if name.lower() in SECRET_HEADERS else value for name, value in self.headers.items()}
        line = json.dumps({"method": self.command, "path": self.path, "headers": headers, "body": body})
        with self.lock, open(self.settings.record, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def log_message(self, format, *args):
        print(f"mock: {format % args}", file=sys.stderr)


def main():
    Handler.settings = options()
    server = ThreadingHTTPServer((Handler.settings.host, Handler.settings.port), Handler)
    print(server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
