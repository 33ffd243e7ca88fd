"""The fastest vendor we could write: `python -m bench.upstream PORT DELAY_S`.

It reads whatever is posted and answers a verified attempt with a small image, after a delay. It
checks nothing: both sides of a comparison use it, and its own time would blur the difference.
"""

import base64
import json
import socket
import sys
import threading
import time
from pathlib import Path

FACE = Path(__file__).resolve().parent.parent / "verification" / "sandbox" / "face.jpg"
BUFFER_BYTES = 1024 * 1024


def verify_answer() -> bytes:
    """Return an answer with everything the contract has for a success."""
    thresholds = {"1e-3": 62.169, "1e-4": 69.315, "1e-5": 74.399, "1e-6": 78.038}
    answer = {
        "request_id": "1700000000,00000000-0000-4000-8000-000000000000",
        "biz_no": "bench",
        "time_used": 1402,
        "result_code": 1000,
        "result_message": "SUCCESS",
        "verification": {"ref1": {"confidence": 84.302, "thresholds": thresholds}},
        "images": {"image_best": base64.b64encode(FACE.read_bytes()).decode()},
        "attack_result": {"score": 0.013, "threshold": 0.5, "result": False},
        "risk_info": {"device_info_level": "1", "device_info_tags": {"is_root": 0, "is_hook": 0}},
        "video_key": "0123456789abcdef",
    }
    return json.dumps(answer).encode()


def serve(port: int, delay_s: float) -> None:
    """Serve until killed, one thread for each connection."""
    body = verify_answer()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    answer = head.encode() + b"\r\n" + body
    with socket.create_server(("127.0.0.1", port), backlog=512) as listener:
        while True:
            peer, _ = listener.accept()
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_serve_peer, args=(peer, answer, delay_s), daemon=True).start()


def _serve_peer(peer: socket.socket, answer: bytes, delay_s: float) -> None:
    scratch = bytearray(BUFFER_BYTES)
    with peer:
        while _read_request(peer, scratch):
            if delay_s:
                time.sleep(delay_s)
            peer.sendall(answer)


def _read_request(peer: socket.socket, scratch: bytearray) -> bool:
    """Read one request to its end; False when the peer has closed."""
    head = b""
    while b"\r\n\r\n" not in head:
        part = peer.recv(65_536)
        if not part:
            return False
        head += part
    head, _, body = head.partition(b"\r\n\r\n")
    left = _content_length(head) - len(body)
    while left > 0:
        count = peer.recv_into(scratch, min(left, BUFFER_BYTES))
        if not count:
            return False
        left -= count
    return True


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


if __name__ == "__main__":
    serve(int(sys.argv[1]), float(sys.argv[2]))
