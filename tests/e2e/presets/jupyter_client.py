"""Runs code in a kernel over a WebSocket, through the gateway, and prints what came of it.

Arguments: address of the gateway, a key, the kernel's id, the code.
"""

import json
import sys
import uuid

import websocket

address, key, kernel, code = sys.argv[1:]
try:
    socket = websocket.create_connection(
        f"ws://{address}/api/kernels/{kernel}/channels",
        header=[f"Authorization: Bearer {key}"],
        timeout=60,
    )
except websocket.WebSocketBadStatusException as refusal:
    print(refusal.status_code)
    sys.exit()
request = {
    "header": {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "session": uuid.uuid4().hex, "version": "5.3"},
    "parent_header": {},
    "metadata": {},
    "content": {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False},
    "channel": "shell",
}  # fmt: skip
socket.send(json.dumps(request))
# The reply and the results come over channels of their own, in any order.
replied = idle = False
while not (replied and idle):
    message = json.loads(socket.recv())
    if message["parent_header"].get("msg_id") != request["header"]["msg_id"]:
        continue
    if message["msg_type"] == "execute_result":
        print(message["content"]["data"]["text/plain"])
    if message["msg_type"] == "error":
        print(message["content"]["ename"])
    replied = replied or message["msg_type"] == "execute_reply"
    idle = idle or message["content"].get("execution_state") == "idle"
